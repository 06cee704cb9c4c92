#include "values.h"

#include "clock.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#define NS_PER_MIN (60 * NS_PER_S)
#define NS_PER_H (60 * NS_PER_MIN)

bool value_uint(struct text text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!text_is_digit(text.data[i]))
            return false;
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}

/* If one name is the beginning of another, the longer one comes first. */
static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"ns", 1},       {"us", NS_PER_US}, {"\xc2\xb5s", NS_PER_US}, {"ms", NS_PER_MS},
    {"s", NS_PER_S}, {"m", NS_PER_MIN}, {"h", NS_PER_H},
};

static int64_t value_unit_at(struct text text, size_t *at)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t size = strlen(units[i].name);
        if (text.size - *at >= size && memcmp(text.data + *at, units[i].name, size) == 0) {
            *at += size;
            return units[i].ns;
        }
    }
    return 0;
}

/* One "number unit" of a duration; advances `at`. */
static bool value_duration_part(struct text text, size_t *at, int64_t *out_ns)
{
    uint64_t whole = 0;
    uint64_t fraction = 0;
    double scale = 1;
    size_t digits = 0;

    for (; *at < text.size && text_is_digit(text.data[*at]); (*at)++, digits++) {
        uint64_t digit = (uint64_t)(text.data[*at] - '0');
        if (whole > (INT64_MAX - digit) / 10)
            return false;
        whole = whole * 10 + digit;
    }
    if (*at < text.size && text.data[*at] == '.') {
        for ((*at)++; *at < text.size && text_is_digit(text.data[*at]); (*at)++, digits++) {
            if (fraction < INT64_MAX / 10) { /* more digits are far less than a nanosecond */
                fraction = fraction * 10 + (uint64_t)(text.data[*at] - '0');
                scale *= 10;
            }
        }
    }
    if (digits == 0)
        return false;
    int64_t unit = value_unit_at(text, at);
    if (unit == 0 || (int64_t)whole > INT64_MAX / unit)
        return false;
    int64_t ns = (int64_t)whole * unit;
    /* In the same order as Go: the quotient is exact where possible, so 0.57s is 570ms. */
    int64_t extra = (int64_t)((double)fraction * ((double)unit / scale));
    if (ns > INT64_MAX - extra)
        return false;
    *out_ns = ns + extra;
    return true;
}

bool value_duration(struct text text, int64_t *out_ns)
{
    int64_t total = 0;
    size_t at = 0;

    if (text.size == 1 && text.data[0] == '0') {
        *out_ns = 0;
        return true;
    }
    if (text.size == 0)
        return false;
    while (at < text.size) {
        int64_t part = 0;
        if (!value_duration_part(text, &at, &part) || total > INT64_MAX - part)
            return false;
        total += part;
    }
    *out_ns = total;
    return true;
}

/* "1.5" for 1500 of 1000: the fraction without trailing zeros. */
static int value_print_fraction(char *out, size_t size, int64_t value, int64_t unit,
                                const char *name)
{
    int64_t rest = value % unit;
    char digits[16];
    int width = 0;

    if (rest == 0)
        return snprintf(out, size, "%" PRId64 "%s", value / unit, name);
    for (int64_t u = unit; u > 1; u /= 10)
        width++;
    (void)snprintf(digits, sizeof(digits), "%0*" PRId64, width, rest);
    size_t end = strlen(digits);
    while (digits[end - 1] == '0')
        end--;
    return snprintf(out, size, "%" PRId64 ".%.*s%s", value / unit, (int)end, digits, name);
}

void value_duration_print(int64_t ns, char out[VALUE_DURATION_MAX])
{
    size_t used = 0;

    if (ns == 0) {
        (void)snprintf(out, VALUE_DURATION_MAX, "0s");
    } else if (ns < NS_PER_US) {
        (void)snprintf(out, VALUE_DURATION_MAX, "%" PRId64 "ns", ns);
    } else if (ns < NS_PER_MS) {
        (void)value_print_fraction(out, VALUE_DURATION_MAX, ns, NS_PER_US, "\xc2\xb5s");
    } else if (ns < NS_PER_S) {
        (void)value_print_fraction(out, VALUE_DURATION_MAX, ns, NS_PER_MS, "ms");
    } else {
        if (ns >= NS_PER_H)
            used += (size_t)snprintf(out, VALUE_DURATION_MAX, "%" PRId64 "h", ns / NS_PER_H);
        if (ns >= NS_PER_MIN)
            used += (size_t)snprintf(out + used, VALUE_DURATION_MAX - used, "%" PRId64 "m",
                                     ns % NS_PER_H / NS_PER_MIN);
        (void)value_print_fraction(out + used, VALUE_DURATION_MAX - used, ns % NS_PER_MIN, NS_PER_S,
                                   "s");
    }
}

/* Where the last colon is; SIZE_MAX: nowhere. */
static size_t value_last_colon(struct text text)
{
    size_t at = text.size;

    while (at > 0 && text.data[at - 1] != ':')
        at--;
    return at > 0 ? at - 1 : SIZE_MAX;
}

static bool value_address_part(struct text text, char *host, size_t host_size, uint16_t *port)
{
    size_t size = value_last_colon(text);
    const char *begin = text.data;
    uint64_t number;

    if (size == SIZE_MAX || !value_uint((struct text){text.data + size + 1, text.size - size - 1},
                                        1, UINT16_MAX, &number))
        return false;
    if (size >= 2 && begin[0] == '[' && begin[size - 1] == ']') {
        begin++;
        size -= 2;
    }
    if (size == 0 || size >= host_size)
        return false;
    memcpy(host, begin, size);
    host[size] = '\0';
    *port = (uint16_t)number;
    return true;
}

bool value_address(const char *text, char *host, size_t host_size, uint16_t *port)
{
    return value_address_part(text_of(text), host, host_size, port);
}

bool value_address_next(const char **list, char *host, size_t host_size, uint16_t *port)
{
    size_t size = strcspn(*list, ",");
    const char *next = *list + size;

    if (*next == ',') {
        next += 1 + strspn(next + 1, " ");
        if (*next == '\0')
            return false;
    }
    if (!value_address_part((struct text){*list, size}, host, host_size, port))
        return false;
    *list = next;
    return true;
}

bool value_is_address_list(const char *text)
{
    char host[VALUE_HOST_SIZE];
    uint16_t port;

    for (size_t i = 0; i < VALUE_ADDRESSES_MAX; i++) {
        if (!value_address_next(&text, host, sizeof(host), &port))
            return false;
        if (*text == '\0')
            return true;
    }
    return false;
}

/* Four numbers; one that begins with 0 would be octal for some. */
static bool value_is_ipv4(struct text text)
{
    struct text rest = text;
    uint64_t number;

    for (int i = 0; i < 4; i++) {
        const char *dot = i < 3 ? memchr(rest.data, '.', rest.size) : rest.data + rest.size;
        if (dot == NULL)
            return false;
        const struct text part = {rest.data, (size_t)(dot - rest.data)};
        if (!value_uint(part, 0, 255, &number) || (part.size > 1 && part.data[0] == '0'))
            return false;
        rest = (struct text){dot + (i < 3), rest.size - part.size - (i < 3)};
    }
    return true;
}

/* Eight groups of up to four hexadecimal digits; "::" stands for those that are 0. */
static bool value_is_ipv6(struct text text)
{
    bool has_gap = text.size >= 2 && memcmp(text.data, "::", 2) == 0;
    unsigned groups = 0;
    unsigned digits = 0;

    for (size_t i = has_gap ? 2 : 0; i < text.size; i++) {
        if (isxdigit((unsigned char)text.data[i])) {
            groups += digits == 0;
            if (++digits > 4)
                return false;
            continue;
        }
        if (text.data[i] != ':' || digits == 0 || i + 1 == text.size)
            return false;
        digits = 0;
        if (text.data[i + 1] != ':')
            continue;
        if (has_gap)
            return false;
        has_gap = true;
        i++;
    }
    return has_gap ? groups < 8 : groups == 8;
}

bool value_listen_address(const char *text, char ip[VALUE_IP_SIZE], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    struct text host = text_of("127.0.0.1");
    uint64_t number;

    if (!value_uint(text_of(colon != NULL ? colon + 1 : text), 0, UINT16_MAX, &number))
        return false;
    if (colon != NULL)
        host = (struct text){text, (size_t)(colon - text)};
    const bool has_brackets = host.size > 2 && host.data[0] == '[' && colon[-1] == ']';
    if (has_brackets)
        host = (struct text){host.data + 1, host.size - 2};
    if (!(has_brackets ? value_is_ipv6(host) : value_is_ipv4(host)))
        return false;
    memcpy(ip, host.data, host.size);
    ip[host.size] = '\0';
    *port = (uint16_t)number;
    return true;
}
