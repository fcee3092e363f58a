<?php

// Copyright (c) 2026, distdb contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// An application on Laravel's database layer: migrations, checks, migrations back. Exits 0, or prints what failed and exits 1.
//
//     php shop.php native|emulated [SECONDS [ATTEMPTS]]
//
// The database comes from APP_HOST, APP_PORT, APP_USER, APP_PASSWORD, APP_DATABASE. With SECONDS the checks repeat for so long.
// With ATTEMPTS, a check that fails is tried again by Laravel's own helper retry(), as a queue does with a failed job; the
// last line says how often that happened.

require '/usr/share/php/Illuminate/Database/autoload.php';
require_once '/usr/share/php/Illuminate/Events/autoload.php';
require_once '/usr/share/php/Illuminate/Filesystem/autoload.php';

use Illuminate\Container\Container;
use Illuminate\Database\Capsule\Manager as DB;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\SoftDeletes;
use Illuminate\Database\Migrations\DatabaseMigrationRepository;
use Illuminate\Database\Migrations\Migrator;
use Illuminate\Database\QueryException;
use Illuminate\Events\Dispatcher;
use Illuminate\Filesystem\Filesystem;

class User extends Model
{
    use SoftDeletes;
    protected $table = 'shop_users';
    protected $guarded = [];
    protected $casts = ['settings' => 'array'];

    public function posts()
    {
        return $this->hasMany(Post::class);
    }
}

class Post extends Model
{
    protected $table = 'shop_posts';
    protected $guarded = [];

    public function user()
    {
        return $this->belongsTo(User::class);
    }

    public function tags()
    {
        return $this->belongsToMany(Tag::class, 'shop_post_tag');
    }
}

class Tag extends Model
{
    protected $table = 'shop_tags';
    protected $guarded = [];
    public $timestamps = false;
}

class Expected extends Exception
{
}

function same($wanted, $found, string $what): void
{
    if ($wanted !== $found) {
        throw new Exception("$what: " . json_encode($found) . ' instead of ' . json_encode($wanted));
    }
}

function user(int $credit = 0): User
{
    return User::create(['email' => bin2hex(random_bytes(8)) . '@example.com', 'credit' => $credit]);
}

// The number of MySQL's error with which this fails.
function error(callable $work): ?int
{
    try {
        $work();
    } catch (QueryException $problem) {
        return $problem->errorInfo[1];
    }
    return null;
}

$checks = [
    'a row is there for the statement after its insert' => function () {
        $made = user(5);
        $read = User::findOrFail($made->id);
        same($made->email, $read->email, 'email');
        $read->update(['credit' => 6, 'settings' => ['sizes' => [1, 2], 'colour' => 'grün']]);
        same(6, $made->fresh()->credit, 'credit');
        same(['sizes' => [1, 2], 'colour' => 'grün'], User::where('settings->colour', 'grün')->findOrFail($made->id)->settings, 'settings');
        same(1, User::whereKey($made->id)->increment('credit', 4), 'rows changed');
        same(10, $made->refresh()->credit, 'credit');
        $made->delete();
        same(null, User::find($made->id), 'a deleted user');
        same(true, User::withTrashed()->findOrFail($made->id)->trashed(), 'a deleted user');
    },
    'relations' => function () {
        $made = user();
        $posts = $made->posts()->createMany([['title' => 'one'], ['title' => 'two'], ['title' => 'three']]);
        $tags = Tag::orderBy('id')->pluck('id')->all();
        $posts[0]->tags()->sync($tags);
        $posts[0]->tags()->sync(array_slice($tags, 0, 2));
        $read = User::with('posts.tags')->withCount('posts')->findOrFail($made->id);
        same(3, $read->posts_count, 'posts');
        same(2, $read->posts->firstWhere('title', 'one')->tags->count(), 'tags');
        same(1, User::whereKey($made->id)->whereHas('posts', fn ($query) => $query->where('title', 'two'))->count(), 'users with the post');
        same(2, $made->posts()->paginate(2, ['*'], 'page', 1)->count(), 'posts on a page');
    },
    'a transaction is whole' => function () {
        $made = user(1);
        try {
            DB::transaction(function () use ($made) {
                $made->posts()->create(['title' => 'never']);
                $made->update(['credit' => 2]);
                throw new Expected();
            });
        } catch (Expected $problem) {
        }
        same(0, $made->posts()->count(), 'posts after a rollback');
        same(1, $made->fresh()->credit, 'credit after a rollback');
        DB::transaction(fn () => $made->posts()->create(['title' => 'kept']), 3);
        same(1, $made->posts()->count(), 'posts after a commit');
    },
    'nested transactions are savepoints' => function () {
        $made = user();
        DB::transaction(function () use ($made) {
            $made->posts()->create(['title' => 'outer']);
            try {
                DB::transaction(function () use ($made) {
                    $made->posts()->create(['title' => 'inner']);
                    same(2, DB::transactionLevel(), 'level');
                    throw new Expected();
                });
            } catch (Expected $problem) {
            }
            DB::transaction(fn () => $made->posts()->create(['title' => 'second inner']));
        });
        same(['outer', 'second inner'], $made->posts()->orderBy('id')->pluck('title')->all(), 'posts');
    },
    'upsert, and the first or a new one' => function () {
        $name = bin2hex(random_bytes(8));
        Tag::upsert([['name' => $name, 'uses' => 1], ['name' => "$name-2", 'uses' => 1]], ['name'], ['uses']);
        Tag::upsert([['name' => $name, 'uses' => 7]], ['name'], ['uses']);
        same(7, Tag::firstWhere('name', $name)->uses, 'uses');
        same(0, Tag::insertOrIgnore(['name' => $name]), 'rows inserted');
        $id = Tag::updateOrCreate(['name' => $name], ['uses' => 8])->id;
        same($id, Tag::firstOrCreate(['name' => $name])->id, 'id');
        same(8, Tag::findOrFail($id)->uses, 'uses');
        same(1062, error(fn () => Tag::create(['name' => $name])), 'error of a second one');
        same(2, Tag::where('name', 'like', "$name%")->delete(), 'rows deleted');
    },
    'chunkById sees each row once while they change' => function () {
        $made = user();
        DB::table('shop_posts')->insert(array_map(fn ($number) => ['user_id' => $made->id, 'title' => "post $number"], range(1, 60)));
        $seen = 0;
        Post::where('user_id', $made->id)->where('state', 'draft')->chunkById(25, function ($posts) use (&$seen) {
            foreach ($posts as $post) {
                $seen++;
                $post->update(['state' => 'public']);
            }
        });
        same(60, $seen, 'posts seen');
        same(60, $made->posts()->where('state', 'public')->count(), 'posts changed');
        same(60, $made->posts()->cursor()->count(), 'posts of a cursor');
    },
    'ON DELETE CASCADE' => function () {
        $made = user();
        $post = $made->posts()->create(['title' => 'with tags']);
        $post->tags()->attach(Tag::orderBy('id')->value('id'));
        same(1452, error(fn () => Post::create(['user_id' => 0, 'title' => 'of nobody'])), 'error of a post of nobody');
        $made->forceDelete();
        same(0, Post::whereKey($post->id)->count(), 'posts of a deleted user');
        same(0, DB::table('shop_post_tag')->where('post_id', $post->id)->count(), 'tags of a deleted post');
    },
    'SELECT … FOR UPDATE locks for every session' => function () {
        // The one that holds the lock does not wait for the other for ever: while the writer changes, the other is kept waiting.
        $made = user(1);
        $other = new mysqli(getenv('APP_HOST'), getenv('APP_USER'), getenv('APP_PASSWORD'), getenv('APP_DATABASE'), (int) getenv('APP_PORT'));
        $refused = DB::transaction(function () use ($made, $other) {
            $row = User::whereKey($made->id)->lockForUpdate()->firstOrFail();
            $other->query("SELECT credit FROM shop_users WHERE id = {$made->id} FOR UPDATE NOWAIT", MYSQLI_ASYNC);
            $answered = $failed = $busy = [$other];
            $answers = mysqli_poll($answered, $failed, $busy, 0, 400000);
            $row->update(['credit' => $row->credit + 1]);
            return $answers > 0;
        });
        try {
            $found = (int) $other->reap_async_query()->fetch_column();
        } catch (mysqli_sql_exception $problem) {
            $found = $problem->getCode();
        }
        // Who was kept waiting got the lock when the first had ended, or, seldom, on the next writer while the first still held its own (1): a transaction
        // that changed the row would conflict then.
        same(true, in_array($found, $refused ? [3572] : [3572, 2, 1], true), "second lock: $found");
        same(2, User::on('other')->findOrFail($made->id)->credit, 'credit for another session');
    },
    'a counter in transactions of two sessions' => function () {
        $made = user();
        foreach (range(1, 10) as $number) {
            DB::connection($number % 2 ? 'default' : 'other')->transaction(function ($connection) use ($made) {
                $credit = $connection->table('shop_users')->where('id', $made->id)->lockForUpdate()->value('credit');
                $connection->table('shop_users')->where('id', $made->id)->update(['credit' => $credit + 1]);
            });
        }
        same(10, $made->fresh()->credit, 'credit');
    },
    'a temporary table stays with its session' => function () {
        DB::statement('CREATE TEMPORARY TABLE shop_numbers (number INT PRIMARY KEY)');
        DB::table('shop_numbers')->insert([['number' => 1], ['number' => 2]]);
        same(2, DB::table('shop_numbers')->count(), 'rows');
        DB::statement('DROP TEMPORARY TABLE shop_numbers');
    },
    'a session after its connection was closed' => function () {
        $made = user();
        DB::connection()->disconnect();
        same($made->id, User::findOrFail($made->id)->id, 'id');
    },
];

[$prepares, $seconds, $attempts] = array_slice($argv, 1) + ['native', 0, 1];
$database = new DB();
foreach (['default', 'other'] as $name) {
    $database->addConnection([
        'driver' => 'mysql',
        'host' => getenv('APP_HOST'),
        'port' => getenv('APP_PORT'),
        'username' => getenv('APP_USER'),
        'password' => getenv('APP_PASSWORD'),
        'database' => getenv('APP_DATABASE'),
        'charset' => 'utf8mb4',
        'collation' => 'utf8mb4_unicode_ci',
        'options' => [PDO::ATTR_EMULATE_PREPARES => $prepares === 'emulated'],
    ], $name);
}
$database->setEventDispatcher(new Dispatcher(new Container()));
$database->setAsGlobal();
$database->bootEloquent();

$repository = new DatabaseMigrationRepository($database->getDatabaseManager(), 'shop_migrations');
$migrator = new Migrator($repository, $database->getDatabaseManager(), new Filesystem());
$counts = ['checks' => 0, 'failed' => 0, 'retries' => 0];

$run = function (string $name, callable $work, int $attempts) use (&$counts) {
    $counts['checks']++;
    try {
        retry($attempts, function ($attempt) use ($work, $name, &$counts) {
            $counts['retries'] += $attempt > 1 ? 1 : 0;
            // As a queue's worker, which begins each job with connections that are in no transaction.
            foreach ($attempt > 1 ? ['default', 'other'] : [] as $connection) {
                DB::connection($connection)->disconnect();
            }
            $work();
        }, 500);
    } catch (Throwable $problem) {
        $counts['failed']++;
        fwrite(STDOUT, "$name: " . get_class($problem) . ': ' . $problem->getMessage() . "\n");
    }
};

$run('migrations', function () use ($migrator, $repository) {
    if (!$migrator->repositoryExists()) {
        $repository->createRepository();
    }
    same(3, count($migrator->run([__DIR__ . '/migrations'])), 'migrations');
    same(3, count($repository->getRan()), 'migrations on record');
}, 1);
$until = microtime(true) + (float) $seconds;
do {
    foreach ($counts['failed'] ? [] : $checks as $name => $work) {
        $run($name, $work, (int) $attempts);
    }
} while (!$counts['failed'] && microtime(true) < $until);
$run('migrations back', function () use ($migrator, $repository) {
    $migrator->reset([__DIR__ . '/migrations']);
    $repository->deleteRepository();
    same(false, DB::schema()->hasTable('shop_users'), 'table that was dropped');
}, 1);

echo json_encode($counts) . "\n";
exit($counts['failed'] ? 1 : 0);
