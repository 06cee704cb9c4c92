/* The shared region: its places, and what the ledger accepts. */
#include "cmocka_all.h"
#include "prng.h"
#include "region.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE 4096

struct fixture {
    struct region region;
    const char *map; /* the ledger's */
};

static struct fixture fixture;

static int begin(void **state)
{
    struct errbuf err;

    assert_int_equal(region_create(SIZE, &fixture.region, &err), STATUS_OK);
    assert_int_equal(region_map(fixture.region.fd, SIZE, &fixture.map), STATUS_OK);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    (void)state;
    region_unmap(fixture.map, SIZE);
    region_fini(&fixture.region);
    region_fini(&fixture.region); /* does nothing */
    return 0;
}

static uint64_t take(struct fixture *f, size_t reserved, size_t size, char byte)
{
    char *place = region_reserve(&f->region, reserved);

    assert_non_null(place);
    memset(place, byte, size);
    uint64_t at = region_take(&f->region, size);
    assert_ptr_equal(place, f->region.memory + at);
    return at;
}

/* What the client writes is what the ledger reads. */
static void test_shared(void **state)
{
    struct fixture *f = *state;
    uint64_t at = take(f, 100, 10, 'x');

    assert_memory_equal(f->map + at, "xxxxxxxxxx", 10);
    assert_int_equal(take(f, 100, 10, 'y'), at + 10); /* what was not used is still free */
}

/* A place that does not fit before the end begins at the beginning, once that is free. */
static void test_wraps(void **state)
{
    struct fixture *f = *state;
    uint64_t first = take(f, 1000, 1000, 'a');
    uint64_t second = take(f, 3000, 3000, 'b');

    assert_null(region_reserve(&f->region, 97)); /* 96 are left at the end */
    assert_non_null(region_reserve(&f->region, 96));
    region_free(&f->region, first, 1000);
    assert_null(region_reserve(&f->region, 1001));
    assert_int_equal(take(f, 1000, 1000, 'c'), 0);
    assert_null(region_reserve(&f->region, 1));
    region_free(&f->region, second, 3000);
    assert_int_equal(take(f, 3000, 3000, 'd'), 1000);
    region_free(&f->region, 0, 1000);
    region_free(&f->region, 1000, 3000);
    assert_non_null(region_reserve(&f->region, SIZE)); /* all of it is free again */
    assert_null(region_reserve(&f->region, SIZE + 1));
}

/* A place that was reserved and not taken takes nothing away, not even the rest before the end. */
static void test_reserve_again(void **state)
{
    struct fixture *f = *state;
    uint64_t first = take(f, 3000, 3000, 'a');
    uint64_t second = take(f, 10, 10, 'b');

    region_free(&f->region, first, 3000);
    assert_ptr_equal(region_reserve(&f->region, 2000), f->region.memory);
    assert_ptr_equal(region_reserve(&f->region, 1000), f->region.memory + 3010);
    assert_ptr_equal(region_reserve(&f->region, 2000), f->region.memory);
    region_free(&f->region, second, 10);
    assert_ptr_equal(region_reserve(&f->region, SIZE), f->region.memory);
}

/* Random places of random sizes never overlap, and come back as they were written. */
static void test_random(void **state)
{
    struct place {
        uint64_t at;
        size_t size;
        char byte;
    } places[64];
    struct fixture *f = *state;
    struct prng prng = {7};
    unsigned first = 0;
    unsigned count = 0;
    unsigned checked = 0;
    char expected[SIZE];

    for (unsigned step = 0; step < 20000; step++) {
        size_t reserved = 1 + prng_below(&prng, SIZE / 4);
        if (count < 64 && prng_below(&prng, 2) == 0 &&
            region_reserve(&f->region, reserved) != NULL) {
            struct place *place = &places[(first + count++) % 64];
            place->size = 1 + prng_below(&prng, (uint32_t)reserved);
            place->byte = (char)step;
            place->at = take(f, reserved, place->size, place->byte);
        } else if (count > 0) {
            const struct place *place = &places[first++ % 64];
            memset(expected, place->byte, place->size);
            assert_memory_equal(f->map + place->at, expected, place->size);
            region_free(&f->region, place->at, place->size);
            count--;
            checked++;
        }
    }
    assert_true(checked > 1000);
}

/* The size is sealed: neither end can change it. */
static void test_sealed(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ftruncate(f->region.fd, 0), -1);
    assert_int_equal(ftruncate(f->region.fd, (off_t)2 * SIZE), -1);
    assert_int_equal(fcntl(f->region.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

/* The ledger maps nothing that could become shorter, or is not as long as was said. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    const char *map = NULL;
    int pipe_fds[2];

    assert_int_equal(region_map(f->region.fd, 2 * (size_t)SIZE, &map), STATUS_INVALID);
    assert_int_equal(region_map(f->region.fd, 1, &map), STATUS_INVALID);
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, SIZE), 0);
    assert_int_equal(region_map(fd, SIZE, &map), STATUS_INVALID);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(region_map(fd, SIZE, &map), STATUS_INVALID);
    assert_int_equal(close(fd), 0);
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(region_map(pipe_fds[0], SIZE, &map), STATUS_INVALID);
    assert_int_equal(close(pipe_fds[0]), 0);
    assert_int_equal(close(pipe_fds[1]), 0);
    assert_null(map);
    region_unmap(NULL, SIZE); /* does nothing */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_shared), CASE(test_wraps),  CASE(test_reserve_again),
        CASE(test_random), CASE(test_sealed), CASE(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
