#include "row_checksum.h"

#include "crc32c.h"

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

void row_checksum_flush(struct row_checksum *self)
{
    row_checksum_restart(self, crc32c(self->value, self->lines, self->size));
}

void row_checksum_add(struct row_checksum *self, const struct bet *bet)
{
    if (self->size > ROW_CHECKSUM_BUFFER - ROW_CHECKSUM_ROOM)
        row_checksum_flush(self);
    self->size += bet_lines_format(self->agency, bet, 1, self->lines + self->size);
}

uint32_t row_checksum_value(struct row_checksum *self)
{
    row_checksum_flush(self);
    return self->value;
}
