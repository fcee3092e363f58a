<?php

// Copyright (c) 2026, distdb contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

use Illuminate\Database\Capsule\Manager as DB;
use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;

// A table that the migration before made is changed, and written to, at once.
class ExtendPosts extends Migration
{
    public function up()
    {
        DB::schema()->table('shop_posts', function (Blueprint $table) {
            $table->string('state')->default('draft')->index();
        });
        DB::table('shop_tags')->insert([['name' => 'first'], ['name' => 'second'], ['name' => 'third']]);
    }

    public function down()
    {
        DB::schema()->table('shop_posts', function (Blueprint $table) {
            $table->dropColumn('state');
        });
    }
}
