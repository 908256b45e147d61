#include "unit.h"
#include "hosted.h"
#include "lock.h"
#include <pthread.h>
#include <string.h>

#define THREADS 4
#define ROUNDS  20000

static struct hart hart;
static jmp_buf halted;

static void halt(void)
{
    longjmp(halted, 1);
}

static int setup(void **state)
{
    (void)state;
    hosted_reset();
    memset(&hart, 0, sizeof hart);
    hosted_hart = &hart;
    hosted_halt = halt;
    return 0;
}

/* True if the statement panics. */
#define PANICS(statement)                                                                          \
    (setjmp(halted) ? true : ({                                                                    \
        statement;                                                                                 \
        false;                                                                                     \
    }))

static struct lock counter_lock = LOCK_INITIALIZER(LOCK_MEMORY);
static long counter; /* not atomic: only the lock keeps it right */

static void *count_up(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        lock_acquire(&counter_lock);
        counter++;
        lock_release(&counter_lock);
    }
    return NULL;
}

static void test_one_holder_at_a_time(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    counter = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(counter, THREADS * ROUNDS);
}

static void test_downwards_is_allowed(void **state)
{
    struct lock capsule = LOCK_INITIALIZER(LOCK_CAPSULE), serial = LOCK_INITIALIZER(LOCK_SERIAL);

    (void)state;
    lock_acquire(&capsule);
    lock_acquire(&serial);
    lock_release(&serial);
    lock_release(&capsule);
    lock_acquire(&serial);
    lock_release(&serial);
    assert_int_equal(hart.lock_ranks, 0);
}

static void test_upwards_panics(void **state)
{
    struct lock memory = LOCK_INITIALIZER(LOCK_MEMORY), sched = LOCK_INITIALIZER(LOCK_SCHED);

    (void)state;
    lock_acquire(&memory);
    assert_true(PANICS(lock_acquire(&sched)));
}

static void test_two_of_one_rank_panic(void **state)
{
    struct lock one = LOCK_INITIALIZER(LOCK_CAPSULE), other = LOCK_INITIALIZER(LOCK_CAPSULE);

    (void)state;
    lock_acquire(&one);
    assert_true(PANICS(lock_acquire(&other)));
}

static void test_release_without_acquire_panics(void **state)
{
    struct lock lock = LOCK_INITIALIZER(LOCK_CONSOLE);

    (void)state;
    assert_true(PANICS(lock_release(&lock)));
}

static void test_before_harts_exist_nothing_is_checked(void **state)
{
    struct lock memory = LOCK_INITIALIZER(LOCK_MEMORY), sched = LOCK_INITIALIZER(LOCK_SCHED);

    (void)state;
    hosted_hart = NULL;
    assert_false(PANICS({
        lock_acquire(&memory);
        lock_acquire(&sched);
        lock_release(&sched);
        lock_release(&memory);
    }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_holder_at_a_time, setup),
        cmocka_unit_test_setup(test_downwards_is_allowed, setup),
        cmocka_unit_test_setup(test_upwards_panics, setup),
        cmocka_unit_test_setup(test_two_of_one_rank_panic, setup),
        cmocka_unit_test_setup(test_release_without_acquire_panics, setup),
        cmocka_unit_test_setup(test_before_harts_exist_nothing_is_checked, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
