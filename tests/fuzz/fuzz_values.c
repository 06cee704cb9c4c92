/* The values of settings, compared with simple references; durations and times printed and read
 * again. */
#include "fuzz.h"
#include "rfc3339.h"
#include "values.h"

#include <math.h>

static void check_uint(struct text text)
{
    uint64_t min = 3;
    uint64_t max = 70000;
    uint64_t value = 0;
    unsigned long long wanted = 0;
    bool is_good = text.size > 0;
    char copy[300];

    for (size_t i = 0; i < text.size; i++)
        is_good = is_good && text.data[i] >= '0' && text.data[i] <= '9';
    if (is_good) {
        memcpy(copy, text.data, text.size);
        copy[text.size] = '\0';
        wanted = strtoull(copy, NULL, 10); /* ULLONG_MAX when it is too large */
        is_good = wanted >= min && wanted <= max;
    }
    FUZZ_CHECK(value_uint(text, min, max, &value) == is_good);
    FUZZ_CHECK(value == (is_good ? wanted : 0));
}

/* Reads the parts with the C library's functions; -1 when it is not a duration. */
static long double sum_of_parts(const char *p)
{
    static const struct {
        const char *name;
        long double ns;
    } units[] = {{"ns", 1},   {"us", 1e3L}, {"\xc2\xb5s", 1e3L}, {"ms", 1e6L},
                 {"s", 1e9L}, {"m", 60e9L}, {"h", 3600e9L}};
    long double sum = 0;

    if (strcmp(p, "0") == 0)
        return 0;
    if (*p == '\0')
        return -1;
    while (*p != '\0') {
        char number[300] = "";
        size_t size = strspn(p, "0123456789.");
        size_t unit = 0;
        memcpy(number, p, size);
        const char *point = strchr(number, '.');
        if (size == 0 || strcmp(number, ".") == 0 ||
            (point != NULL && strchr(point + 1, '.') != NULL))
            return -1;
        p += size;
        while (unit < 7 && strncmp(p, units[unit].name, strlen(units[unit].name)) != 0)
            unit++;
        if (unit == 7)
            return -1;
        p += strlen(units[unit].name);
        sum += strtold(number, NULL) * units[unit].ns;
    }
    return sum;
}

static void check_duration(struct text text)
{
    int64_t ns = -1;
    bool is_good = value_duration(text, &ns);
    long double wanted = sum_of_parts(text.data);

    if (memchr(text.data, '\0', text.size) != NULL) {
        FUZZ_CHECK(!is_good);
        return;
    }
    if (!is_good) { /* not a duration, or too long; near the limit rounding decides */
        FUZZ_CHECK(ns == -1 && (wanted < 0 || wanted > 9.22e18L));
        return;
    }
    /* Each part may lose less than a nanosecond, and its fraction the last bits of a double. */
    FUZZ_CHECK(ns >= 0 && wanted >= 0);
    FUZZ_CHECK(fabsl(wanted - (long double)ns) <= 1e-6L * wanted + 1 + (long double)text.size);
}

static void check_print(int64_t ns)
{
    char text[VALUE_DURATION_MAX];
    int64_t again = -1;

    value_duration_print(ns, text);
    FUZZ_CHECK(value_duration(text_of(text), &again));
    FUZZ_CHECK(again == ns);
}

static void check_address(const char *text)
{
    char host[64] = "";
    uint16_t port = 0;
    char again[300];

    if (!value_address(text, host, sizeof(host), &port))
        return;
    FUZZ_CHECK(host[0] != '\0' && port > 0);
    /* The text begins with the host, in brackets or not, and ends with the port. */
    (void)snprintf(again, sizeof(again), text[0] == '[' ? "[%s]:" : "%s:", host);
    FUZZ_CHECK(strncmp(text, again, strlen(again)) == 0 || strncmp(text, host, strlen(host)) == 0);
    FUZZ_CHECK(strtoul(strrchr(text, ':') + 1, NULL, 10) == port);
}

/* What is read as a time is one that can be written, and that reads as the same. */
static void check_time(struct text text, uint64_t any_s)
{
    char written[RFC3339_SIZE];
    uint64_t seconds = 0;
    uint64_t again = 0;

    rfc3339_format(any_s, written);
    FUZZ_CHECK(rfc3339_parse(text_of(written), &again, NULL) == STATUS_OK);
    FUZZ_CHECK(again == (any_s < RFC3339_LAST_S ? any_s : RFC3339_LAST_S));
    if (rfc3339_parse(text, &seconds, NULL) != STATUS_OK)
        return;
    rfc3339_format(seconds, written);
    FUZZ_CHECK(rfc3339_parse(text_of(written), &again, NULL) == STATUS_OK && again == seconds);
    /* The minutes of the offset and the date may differ, the seconds do not. */
    FUZZ_CHECK(memcmp(text.data + 17, written + 17, 2) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    int64_t ns = (int64_t)(fuzz_uint(&input, 8) >> 1 >> (fuzz_byte(&input) % 63));
    struct text text = fuzz_text(&input, 255, true);

    check_print(ns);
    check_uint(text);
    check_duration(text);
    check_address(text.data);
    check_time(text, (uint64_t)ns);
    fuzz_text_free(text);
    return 0;
}
