#include "row_checksum.h"

#include "assertion.h"
#include "bet_line.h"
#include "crc32c.h"

#include <string.h>

#define LINE_END "\r\n"
#define LINE_END_SIZE ((size_t)2)

void row_checksum_init(struct row_checksum *self, uint32_t agency)
{
    _Static_assert(BET_LINE_AGENCY_MAX <= sizeof(self->prefix), "the longest one fits");
    self->agency = agency;
    memset(self->prefix, 0, sizeof(self->prefix));
    self->prefix_size = bet_line_put_agency(agency, self->prefix);
    row_checksum_restart(self, 0);
}

void row_checksum_restart(struct row_checksum *self, uint32_t value)
{
    self->value = value;
    self->size = 0;
}

/* Room for the longest line, and for a prefix that is copied in its whole length. */
static char *row_checksum_reserve(struct row_checksum *self)
{
    if (ROW_CHECKSUM_BUFFER - self->size < BET_LINE_MAX + sizeof(self->prefix))
        (void)row_checksum_value(self);
    return self->lines + self->size;
}

void row_checksum_add_plain(struct row_checksum *self, struct text row)
{
    char *out = row_checksum_reserve(self);

    ASSERT(self->prefix_size + row.size + LINE_END_SIZE <= BET_LINE_MAX);
    memcpy(out, self->prefix, sizeof(self->prefix)); /* of a fixed size: one instruction */
    out += self->prefix_size;
    memcpy(out, row.data, row.size);
    memcpy(out + row.size, LINE_END, LINE_END_SIZE);
    self->size += self->prefix_size + row.size + LINE_END_SIZE;
}

void row_checksum_add(struct row_checksum *self, const struct bet *bet)
{
    char *out = row_checksum_reserve(self);

    self->size += bet_lines_format(self->agency, bet, 1, out);
}

uint32_t row_checksum_value(struct row_checksum *self)
{
    row_checksum_restart(self, crc32c(self->value, self->lines, self->size));
    return self->value;
}
