#include "rfc3339.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#define DAY_S INT64_C(86400)
#define DAY_MIN 1440
#define EXAMPLE "2026-11-25T21:00:00-03:00"
#define WHOLE_SECONDS 19 /* bytes of "2026-11-25T21:00:00" */

struct date {
    int64_t year; /* 0..9999 */
    int64_t month;
    int64_t day;
};

static bool rfc3339_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t rfc3339_month_days(int64_t year, int64_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && rfc3339_is_leap(year));
}

/* Days from the beginning of the year 1 to that of `year`, which is 1 or later. */
static int64_t rfc3339_days_before_year(int64_t year)
{
    int64_t years = year - 1;

    return years * 365 + years / 4 - years / 100 + years / 400;
}

/* Days since 1970-01-01; negative before. The year is 1 or later. */
static int64_t rfc3339_day_of_date(const struct date *date)
{
    int64_t day =
        rfc3339_days_before_year(date->year) - rfc3339_days_before_year(1970) + date->day - 1;

    for (int64_t month = 1; month < date->month; month++)
        day += rfc3339_month_days(date->year, month);
    return day;
}

/* The reverse, for a day of 1970..9999. */
static struct date rfc3339_date_of_day(int64_t day)
{
    struct date date = {1970 + day / 366, 1, 0}; /* this year, or an earlier one */

    while (rfc3339_days_before_year(date.year + 1) - rfc3339_days_before_year(1970) <= day)
        date.year++;
    day -= rfc3339_days_before_year(date.year) - rfc3339_days_before_year(1970);
    for (; day >= rfc3339_month_days(date.year, date.month); date.month++)
        day -= rfc3339_month_days(date.year, date.month);
    date.day = day + 1;
    return date;
}

void rfc3339_format(uint64_t seconds, char out[RFC3339_SIZE])
{
    int64_t time = (int64_t)(seconds < RFC3339_LAST_S ? seconds : RFC3339_LAST_S);
    struct date date = rfc3339_date_of_day(time / DAY_S);
    char text[80]; /* more than any six numbers need */

    time %= DAY_S;
    (void)snprintf(text, sizeof(text),
                   "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64
                   ":%02" PRId64 "Z",
                   date.year, date.month, date.day, time / 3600, time / 60 % 60, time % 60);
    memcpy(out, text, RFC3339_SIZE);
}

void rfc3339_format_local(uint64_t seconds, long offset_min, char out[RFC3339_LOCAL_SIZE])
{
    int64_t time = (int64_t)(seconds < RFC3339_LAST_S ? seconds : RFC3339_LAST_S);
    char utc[RFC3339_SIZE];
    char text[64]; /* more than it takes */

    if (offset_min <= -DAY_MIN || offset_min >= DAY_MIN || time + offset_min * 60 < 0)
        offset_min = 0;
    rfc3339_format((uint64_t)(time + offset_min * 60), utc);
    const long ahead = offset_min < 0 ? -offset_min : offset_min;
    (void)snprintf(text, sizeof(text), "%.*s%c%02ld:%02ld", WHOLE_SECONDS, utc,
                   offset_min < 0 ? '-' : '+', ahead / 60, ahead % 60);
    memcpy(out, text, RFC3339_LOCAL_SIZE);
}

/* Does the text have this form? `0` stands for a digit, `T` for either letter. */
static bool rfc3339_has_form(struct text text, const char *form)
{
    if (text.size != strlen(form))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (form[i] == '0'   ? !text_is_digit(c)
            : form[i] == 'T' ? c != 'T' && c != 't'
                             : c != form[i])
            return false;
    }
    return true;
}

static int64_t rfc3339_digits_at(struct text text, size_t at, size_t count)
{
    int64_t value = 0;

    for (size_t i = 0; i < count; i++)
        value = value * 10 + (text.data[at + i] - '0');
    return value;
}

/* What follows whole seconds: an offset, with or without a fraction before it. */
static enum status rfc3339_parse_offset(struct text rest, int64_t *offset_s, struct errbuf *err)
{
    if (rest.size >= 2 && rest.data[0] == '.' && text_is_digit(rest.data[1])) {
        do {
            rest.data++;
            rest.size--;
        } while (rest.size > 0 && text_is_digit(rest.data[0]));
    }
    if (rest.size == 0) {
        errbuf_set(err, "no offset from UTC; it has to end with Z, or as in " EXAMPLE);
        return STATUS_INVALID;
    }
    if (rest.size == 1 && (rest.data[0] == 'Z' || rest.data[0] == 'z')) {
        *offset_s = 0;
        return STATUS_OK;
    }
    if (!rfc3339_has_form(rest, "+00:00") && !rfc3339_has_form(rest, "-00:00")) {
        errbuf_set(err, "not a time like " EXAMPLE);
        return STATUS_INVALID;
    }
    int64_t hours = rfc3339_digits_at(rest, 1, 2);
    int64_t minutes = rfc3339_digits_at(rest, 4, 2);
    if (hours > 23 || minutes > 59) {
        errbuf_set(err, "no such offset from UTC");
        return STATUS_INVALID;
    }
    *offset_s = (rest.data[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return STATUS_OK;
}

/* Whole seconds without their offset, as if they were UTC. */
static enum status rfc3339_parse_local(struct text text, int64_t *time_s, struct errbuf *err)
{
    struct date date = {rfc3339_digits_at(text, 0, 4), rfc3339_digits_at(text, 5, 2),
                        rfc3339_digits_at(text, 8, 2)};
    int64_t hour = rfc3339_digits_at(text, 11, 2);
    int64_t minute = rfc3339_digits_at(text, 14, 2);
    int64_t second = rfc3339_digits_at(text, 17, 2);

    if (date.year < 1 || date.month < 1 || date.month > 12 || date.day < 1 ||
        date.day > rfc3339_month_days(date.year, date.month)) {
        errbuf_set(err, "no such date");
        return STATUS_INVALID;
    }
    if (hour > 23 || minute > 59 || second > 59) {
        errbuf_set(err, "no such time of day");
        return STATUS_INVALID;
    }
    *time_s = rfc3339_day_of_date(&date) * DAY_S + hour * 3600 + minute * 60 + second;
    return STATUS_OK;
}

enum status rfc3339_parse(struct text text, uint64_t *seconds, struct errbuf *err)
{
    int64_t time_s = 0;
    int64_t offset_s = 0;

    if (text.size < WHOLE_SECONDS ||
        !rfc3339_has_form((struct text){text.data, WHOLE_SECONDS}, "0000-00-00T00:00:00")) {
        errbuf_set(err, "not a time like " EXAMPLE);
        return STATUS_INVALID;
    }
    struct text rest = {text.data + WHOLE_SECONDS, text.size - WHOLE_SECONDS};
    enum status status = rfc3339_parse_offset(rest, &offset_s, err);
    if (status == STATUS_OK)
        status = rfc3339_parse_local(text, &time_s, err);
    if (status != STATUS_OK)
        return status;
    time_s -= offset_s;
    if (time_s < 0 || time_s > (int64_t)RFC3339_LAST_S) {
        errbuf_set(err, "not between the years 1970 and 9999");
        return STATUS_INVALID;
    }
    *seconds = (uint64_t)time_s;
    return STATUS_OK;
}
