#include "alloc_fault.h"
#include "buffer.h"
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

/* Pieces that are appended one by one make up the whole. */
static void test_append(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buffer_append(&buffer, "0123456789", (size_t)i % 11), STATUS_OK);
    size_t at = 0;
    for (int i = 0; i < 1000; at += (size_t)i % 11, i++)
        assert_memory_equal(buffer.data + at, "0123456789", (size_t)i % 11);
    assert_int_equal(buffer.size, at);
    assert_true(buffer.capacity >= buffer.size);
    buffer_fini(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(buffer.capacity, 0);
}

/* Appending nothing needs no memory. */
static void test_append_nothing(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    assert_int_equal(buffer_append(&buffer, NULL, 0), STATUS_OK);
    assert_null(buffer.data);
}

/* Reserved memory can be written, and appending into it does not move the bytes. */
static void test_reserve(void **state)
{
    struct buffer buffer = {0};

    (void)state;
    assert_int_equal(buffer_append(&buffer, "head", 4), STATUS_OK);
    assert_int_equal(buffer_reserve(&buffer, 100000), STATUS_OK);
    assert_true(buffer.capacity - buffer.size >= 100000);
    const char *before = buffer.data;
    memset(buffer.data + buffer.size, 'x', 100000);
    buffer.size += 100000;
    assert_ptr_equal(buffer.data, before);
    assert_memory_equal(buffer.data, "headx", 5);
    buffer_fini(&buffer);
}

/* Without memory the buffer stays as it was, and goes on working later. */
static void test_no_memory(void **state)
{
    struct buffer buffer = {0};
    static const char big[4096];

    (void)state;
    assert_int_equal(buffer_append(&buffer, "kept", 4), STATUS_OK);
    alloc_fault_after(0);
    assert_int_equal(buffer_append(&buffer, big, sizeof(big)), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.data, "kept", 4);
    assert_int_equal(buffer_append(&buffer, big, sizeof(big)), STATUS_OK);
    assert_int_equal(buffer.size, 4 + sizeof(big));
    buffer_fini(&buffer);
}

/* Impossible sizes are refused, and do not wrap around. */
static void test_absurd_sizes(void **state)
{
    struct buffer buffer = {0};
    size_t capacity = 0;

    (void)state;
    assert_int_equal(buffer_append(&buffer, "x", 1), STATUS_OK);
    assert_int_equal(buffer_reserve(&buffer, SIZE_MAX), STATUS_NOMEM);
    assert_int_equal(buffer_reserve(&buffer, SIZE_MAX / 2 + 1), STATUS_NOMEM);
    assert_null(array_grow(NULL, &capacity, SIZE_MAX / 8, 16));
    assert_int_equal(capacity, 0);
    buffer_fini(&buffer);
}

/* An array keeps its items and at least doubles, so that n additions move it log n times. */
static void test_array(void **state)
{
    uint64_t *items = NULL;
    size_t capacity = 0;
    unsigned moves = 0;

    (void)state;
    for (size_t i = 0; i < 100000; i++) {
        size_t before = capacity;
        items = array_grow(items, &capacity, i + 1, sizeof(*items));
        assert_non_null(items);
        if (capacity != before) {
            assert_true(capacity >= 2 * before);
            moves++;
        }
        items[i] = i;
    }
    for (size_t i = 0; i < 100000; i++)
        assert_int_equal(items[i], i);
    assert_in_range(moves, 1, 17);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),       cmocka_unit_test(test_append_nothing),
        cmocka_unit_test(test_reserve),      cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_absurd_sizes), cmocka_unit_test(test_array),
    };

    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
