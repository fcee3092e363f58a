<?php

// Copyright (c) 2026, distdb contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

use Illuminate\Database\Capsule\Manager as DB;
use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;

class CreateAccounts extends Migration
{
    public function up()
    {
        DB::schema()->create('shop_users', function (Blueprint $table) {
            $table->id();
            $table->string('email')->unique();
            $table->integer('credit')->default(0);
            $table->json('settings')->nullable();
            $table->timestamps();
            $table->softDeletes();
        });
        DB::schema()->create('shop_tags', function (Blueprint $table) {
            $table->id();
            $table->string('name')->unique();
            $table->unsignedInteger('uses')->default(0);
        });
    }

    public function down()
    {
        DB::schema()->drop('shop_tags');
        DB::schema()->drop('shop_users');
    }
}
