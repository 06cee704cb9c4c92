#include "fuzz.h"

#include "clock.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

uint64_t fuzz_uint(struct fuzz_input *input, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)fuzz_byte(input) << (8 * i);
    return value;
}

struct text fuzz_text(struct fuzz_input *input, size_t max, bool has_nul)
{
    size_t size = fuzz_byte(input);

    if (size > max)
        size = max;
    if (size > input->size)
        size = input->size;
    char *copy = malloc(size + has_nul);
    FUZZ_CHECK(copy != NULL || size + has_nul == 0);
    if (size > 0)
        memcpy(copy, input->data, size);
    if (has_nul)
        copy[size] = '\0';
    input->data += size;
    input->size -= size;
    return (struct text){copy, size};
}

void fuzz_text_free(struct text text)
{
    free((void *)(uintptr_t)text.data);
}

bool fuzz_text_equals(struct text a, struct text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;

    if (fd < 0) {
        fd = memfd_create("input", MFD_CLOEXEC);
        FUZZ_CHECK(fd >= 0);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    FUZZ_CHECK(ftruncate(fd, 0) == 0);
    FUZZ_CHECK(size == 0 || pwrite(fd, data, size, 0) == (ssize_t)size);
    return path;
}

void fuzz_silence_log(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
    (void)close(fd);
}

static uint64_t no_time_ms(void)
{
    return 0;
}

static time_t noon_s(void)
{
    return 1772366400; /* 2026-03-01 12:00 UTC: the same day in nearly all time zones */
}

static uint32_t no_chance(void)
{
    return 7;
}

void fuzz_fix_clock(void)
{
    static const struct clock_source fixed = {no_time_ms, noon_s, no_chance};

    FUZZ_CHECK(setenv("TZ", "UTC", 1) == 0);
    clock_replace(&fixed);
}
