#include "refusal.h"

#include <inttypes.h>
#include <string.h>

void refusal_describe(const Lottery__V1__Ack *ack, struct errbuf *out)
{
    const ProtobufCEnumValue *code =
        protobuf_c_enum_descriptor_get_value(&lottery__v1__ack_code__descriptor, (int)ack->code);

    errbuf_set(out, "%s%s%s", code != NULL ? code->name : "unknown ack code",
               ack->detail[0] != '\0' ? ", " : "", ack->detail);
}

void refusal_describe_content(uint32_t agency, uint64_t first, uint64_t last, struct errbuf *out)
{
    errbuf_set(out,
               "CONTENT_MISMATCH, the central has other bets of agency %" PRIu32
               " than this file, somewhere in its bets %" PRIu64 " to %" PRIu64
               ": another program sends as this agency, or the file is not the one that was sent "
               "before",
               agency, first, last);
}

/* The id of a draw for people. */
static const char *refusal_name(const char *draw)
{
    return draw[0] != '\0' ? draw : "(none)";
}

bool refusal_is_other_draw(const Lottery__V1__Ack *ack, const char *draw, bool is_first,
                           struct errbuf *why)
{
    bool is_closed = ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED;
    bool is_named = ack->draw[0] != '\0';
    bool is_other =
        is_named ? strcmp(ack->draw, draw) != 0 : is_closed && is_first && ack->received == 0;

    if (!is_other)
        return false;
    /* It says which draw takes bets, or there is nothing to say. */
    if (is_closed && (ack->detail[0] != '\0' || strcmp(ack->draw, draw) == 0)) {
        refusal_describe(ack, why);
        return true;
    }
    errbuf_set(why,
               "%sthe central answers for draw %s, and the bets are for draw %s: set \"draw\" to "
               "the one that they are for",
               is_closed ? "ACK_CODE_DRAW_CLOSED, " : "", refusal_name(ack->draw),
               refusal_name(draw));
    return true;
}

/* Does `received` say how many bets of the agency there are? */
static bool refusal_has_received(const Lottery__V1__Ack *ack)
{
    return ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_OK ||
           ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_OFFSET_GAP ||
           ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED ||
           ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_INCOMPLETE;
}

bool refusal_is_short(const Lottery__V1__Ack *ack, uint64_t acked, struct errbuf *why)
{
    if (!refusal_has_received(ack) || ack->received >= acked)
        return false;
    errbuf_set(why,
               "the central has only %" PRIu64 " bets of this agency, and has acknowledged %" PRIu64
               "%s%s",
               ack->received, acked, ack->detail[0] != '\0' ? ": " : "", ack->detail);
    return true;
}

bool refusal_is_beyond(const Lottery__V1__Ack *ack, uint64_t rows, struct errbuf *why)
{
    if (ack->received <= rows)
        return false;
    errbuf_set(why, "the central has %" PRIu64 " bets of this agency, the file only %" PRIu64,
               ack->received, rows);
    return true;
}
