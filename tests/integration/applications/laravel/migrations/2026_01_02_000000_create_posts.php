<?php

// Copyright (c) 2026, distdb contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

use Illuminate\Database\Capsule\Manager as DB;
use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;

class CreatePosts extends Migration
{
    public function up()
    {
        DB::schema()->create('shop_posts', function (Blueprint $table) {
            $table->id();
            $table->foreignId('user_id')->constrained('shop_users')->onDelete('cascade');
            $table->string('title');
            $table->unsignedInteger('views')->default(0);
            $table->timestamps();
        });
        DB::schema()->create('shop_post_tag', function (Blueprint $table) {
            $table->foreignId('post_id')->constrained('shop_posts')->onDelete('cascade');
            $table->foreignId('tag_id')->constrained('shop_tags')->onDelete('cascade');
            $table->primary(['post_id', 'tag_id']);
        });
    }

    public function down()
    {
        DB::schema()->drop('shop_post_tag');
        DB::schema()->drop('shop_posts');
    }
}
