/* The time of the observer's connections, and which one makes room. */
#include "cmocka_all.h"
#include "http_conns.h"

#include <string.h>

static struct http_conns conns;

static int begin(void **state)
{
    (void)state;
    memset(&conns, 0, sizeof(conns));
    return 0;
}

/* As many as there may be, and no more; a place that is free again can be taken. */
static void test_places(void **state)
{
    struct http_conn *all[HTTP_CONNS_MAX];

    (void)state;
    assert_null(http_conns_oldest(&conns));
    for (int i = 0; i < HTTP_CONNS_MAX; i++) {
        all[i] = http_conns_add(&conns, 100 + i, 5);
        assert_non_null(all[i]);
        assert_int_equal(all[i]->fd, 100 + i);
    }
    assert_null(http_conns_add(&conns, 7, 5));
    http_conns_remove(&conns, all[9]);
    assert_int_equal(conns.count, HTTP_CONNS_MAX - 1);
    assert_ptr_equal(http_conns_add(&conns, 7, 5), all[9]);
    assert_null(http_conns_add(&conns, 8, 5));
}

/* Each wait has its own limit, counted from its own beginning. */
static void test_limits(void **state)
{
    (void)state;
    struct http_conn *conn = http_conns_add(&conns, 3, 1000);
    assert_true(conn->until_ms == 1000 + HTTP_HEAD_MS);
    http_conn_on_head(conn, 4000);
    assert_true(conn->is_answering);
    assert_true(conn->until_ms == 4000 + HTTP_ANSWER_MS);
    http_conn_on_answered(conn, 6000);
    assert_false(conn->is_answering);
    assert_true(conn->until_ms == 6000 + HTTP_IDLE_MS);
    http_conns_remove(&conns, conn);
    assert_true(http_conns_add(&conns, 3, 9000)->until_ms == 9000 + HTTP_HEAD_MS);
}

/* Whoever waits for a head makes room before those whose answer is under way; among them the one
 * that has waited longest. */
static void test_oldest(void **state)
{
    (void)state;
    struct http_conn *one = http_conns_add(&conns, 1, 10);
    struct http_conn *two = http_conns_add(&conns, 2, 20);
    struct http_conn *three = http_conns_add(&conns, 3, 30);
    assert_ptr_equal(http_conns_oldest(&conns), one);
    http_conn_on_head(one, 40);
    assert_ptr_equal(http_conns_oldest(&conns), two);
    http_conn_on_head(three, 50);
    http_conn_on_answered(three, 51);
    assert_ptr_equal(http_conns_oldest(&conns), two);
    http_conn_on_head(two, 60);
    assert_ptr_equal(http_conns_oldest(&conns), three);
    http_conns_remove(&conns, three);
    assert_ptr_equal(http_conns_oldest(&conns), one);
    http_conns_remove(&conns, one);
    assert_ptr_equal(http_conns_oldest(&conns), two);
    http_conns_remove(&conns, two);
    assert_null(http_conns_oldest(&conns));
}

#define CASE(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_places), CASE(test_limits), CASE(test_oldest)};

    return cmocka_run_group_tests_name("http_conns", tests, NULL, NULL);
}
