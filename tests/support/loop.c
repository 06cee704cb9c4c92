#include "loop.h"

#include "cmocka_all.h"

#include <time.h>

#define TURN_MS 2

static uint64_t now_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void loop_begin(uv_loop_t *loop)
{
    assert_int_equal(uv_loop_init(loop), 0);
}

static void on_turn(uv_timer_t *timer)
{
    (void)timer; /* it only wakes the loop up */
}

static void on_timer_closed(uv_handle_t *timer)
{
    *(bool *)timer->data = true;
}

void loop_until(uv_loop_t *loop, bool (*is_true)(void *context), void *context, const char *what)
{
    uint64_t until = now_ms() + LOOP_WAIT_MS;
    uv_timer_t timer;
    bool has_come = is_true(context);
    bool is_closed = false;

    assert_int_equal(uv_timer_init(loop, &timer), 0);
    timer.data = &is_closed;
    assert_int_equal(uv_timer_start(&timer, on_turn, TURN_MS, TURN_MS), 0);
    while (!has_come && now_ms() < until) {
        (void)uv_run(loop, UV_RUN_ONCE);
        has_come = is_true(context);
    }
    uv_close((uv_handle_t *)&timer, on_timer_closed);
    while (!is_closed) /* the timer is on the stack, so the loop must close it before we return */
        (void)uv_run(loop, UV_RUN_NOWAIT);
    if (!has_come)
        fail_msg("waited %d ms in vain for: %s", LOOP_WAIT_MS, what);
}

struct count {
    const unsigned *counter;
    unsigned min;
};

static bool has_reached(void *context)
{
    const struct count *count = context;

    return *count->counter >= count->min;
}

void loop_until_count(uv_loop_t *loop, const unsigned *counter, unsigned min, const char *what)
{
    struct count count = {counter, min};

    loop_until(loop, has_reached, &count, what);
}

void loop_turn(uv_loop_t *loop)
{
    (void)uv_run(loop, UV_RUN_NOWAIT);
}

void loop_end(uv_loop_t *loop)
{
    uint64_t until = now_ms() + LOOP_WAIT_MS;

    while (uv_loop_alive(loop) && now_ms() < until)
        (void)uv_run(loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(loop), 0);
}
