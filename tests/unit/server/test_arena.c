#include "alloc_fault.h"
#include "arena.h"
#include "cmocka_all.h"
#include "lottery.pb-c.h"

#include <string.h>

static void *take(struct arena *arena, size_t size)
{
    return arena->allocator.alloc(arena->allocator.allocator_data, size);
}

/* Blocks are aligned for anything, do not overlap, and remember their size. */
static void test_blocks(void **state)
{
    struct arena arena;
    unsigned char *blocks[100];

    (void)state;
    assert_true(arena_init(&arena, 16 * 1024));
    for (size_t size = 0; size < 100; size++) {
        blocks[size] = take(&arena, size);
        assert_non_null(blocks[size]);
        assert_int_equal((uintptr_t)blocks[size] % _Alignof(max_align_t), 0);
        memset(blocks[size], (int)size, size);
    }
    for (size_t size = 0; size < 100; size++) {
        assert_int_equal(arena_block_size(blocks[size]), size);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(blocks[size][i], size);
    }
    arena_fini(&arena);
}

/* A block that does not fit is refused, even if its size would wrap around; one that fits is not.
 */
static void test_capacity(void **state)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 16, SIZE_MAX / 2,
                                   1025,     1024,          1009};
    struct arena arena;

    (void)state;
    assert_true(arena_init(&arena, 1024));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_null(take(&arena, sizes[i]));
        assert_int_equal(arena.used, 0);
    }
    unsigned char *block = take(&arena, 1024 - 16);
    assert_non_null(block);
    memset(block, 1, 1024 - 16); /* all of it can be written */
    assert_null(take(&arena, 0));
    arena_fini(&arena);
}

/* After a reset all of the memory is free again; the allocator's free() frees nothing. */
static void test_reset(void **state)
{
    struct arena arena;

    (void)state;
    assert_true(arena_init(&arena, 256));
    for (int round = 0; round < 10; round++) {
        void *block = take(&arena, 100);
        assert_non_null(block);
        assert_non_null(take(&arena, 100));
        arena.allocator.free(arena.allocator.allocator_data, block);
        assert_null(take(&arena, 100));
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

/* Without memory arena_init fails, and arena_fini is still fine. */
static void test_no_memory(void **state)
{
    struct arena arena;

    (void)state;
    alloc_fault_after(0);
    int is_made = arena_init(&arena, 256);
    assert_true(alloc_fault_end());
    assert_false(is_made);
    arena_fini(&arena);
}

/* protobuf-c takes its memory here, and the size of a block shows a NUL byte within a string. */
static void test_unpack_shows_nul_bytes(void **state)
{
    static const uint8_t body[] = {0x0a, 5, 'A', 'n', 0, 'a', 'x', 0x12, 2, 'L', 'o'};
    struct arena arena;

    (void)state;
    assert_true(arena_init(&arena, 4096));
    Lottery__V1__Bet *bet = lottery__v1__bet__unpack(&arena.allocator, sizeof(body), body);
    assert_non_null(bet);
    assert_true((char *)bet >= arena.bytes && (char *)bet < arena.bytes + arena.used);
    assert_int_equal(arena_block_size(bet->first_name), 6);
    assert_int_equal(strlen(bet->first_name), 2);
    assert_int_equal(arena_block_size(bet->last_name), strlen(bet->last_name) + 1);
    assert_int_equal(arena_text(bet->first_name).size, 5);
    assert_memory_equal(arena_text(bet->first_name).data, "An\0ax", 5);
    assert_int_equal(arena_text(bet->document).size, 0); /* the message has none */
    arena_reset(&arena);
    arena_fini(&arena);
}

/* A message is not unpacked when the arena is too small for it, whatever its size. */
static void test_unpack_does_not_fit(void **state)
{
    static const uint8_t body[] = {0x0a, 3, 'A', 'n', 'a', 0x12, 2, 'L', 'o', 0x1a, 1, '1'};
    size_t capacity = 0;
    Lottery__V1__Bet *bet = NULL;

    (void)state;
    for (; bet == NULL && capacity < 4096; capacity += 8) {
        struct arena arena;
        assert_true(arena_init(&arena, capacity + 1));
        bet = lottery__v1__bet__unpack(&arena.allocator, sizeof(body), body);
        assert_true(arena.used <= arena.capacity);
        arena_fini(&arena);
    }
    assert_non_null(bet);
    assert_true(capacity > sizeof(Lottery__V1__Bet));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_unpack_shows_nul_bytes),
        cmocka_unit_test(test_unpack_does_not_fit),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
