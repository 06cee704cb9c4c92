/* text.h - a borrowed run of bytes with its length; not NUL-terminated. */
#ifndef LOTTERY_TEXT_H
#define LOTTERY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    const char *data; /* borrowed; whoever creates the view says how long it is valid */
    size_t size;      /* bytes */
};

/* The view of a NUL-terminated string, which must outlive it. */
static inline struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

/* Is it one of the ten ASCII digits, in any locale? */
static inline bool text_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#endif
