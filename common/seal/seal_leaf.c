#include "seal_leaf.h"

#include "hex.h"
#include "rfc3339.h"
#include "text_reader.h"

#include <inttypes.h>
#include <stdio.h>

size_t seal_leaf_put_draw(const struct seal_draw *draw, char out[SEAL_LEAF_MAX])
{
    char time[RFC3339_SIZE];

    rfc3339_format(draw->closed_s, time);
    int size = snprintf(out, SEAL_LEAF_MAX, "draw %s %" PRIu32 " %" PRIu64 " %s",
                        draw_id_shown(draw->id), draw->agencies, draw->bets, time);
    return (size_t)size;
}

size_t seal_leaf_put_agency(const struct seal_agency *agency, char out[SEAL_LEAF_MAX])
{
    int size = snprintf(out, SEAL_LEAF_MAX, "agency %" PRIu32 " %" PRIu64 " ", agency->agency,
                        agency->bets);
    char *end = hex_encode(agency->digest, sizeof(agency->digest), out + size);

    *end++ = ' ';
    return (size_t)(hex_encode(agency->nonce, sizeof(agency->nonce), end) - out);
}

bool seal_leaf_read_draw(struct text leaf, struct seal_draw *out)
{
    struct text_reader reader = {leaf, false};

    text_reader_literal(&reader, "draw ");
    text_reader_id(&reader, ' ', out->id);
    out->agencies = (uint32_t)text_reader_number(&reader, UINT32_MAX);
    text_reader_literal(&reader, " ");
    out->bets = text_reader_number(&reader, UINT64_MAX);
    text_reader_literal(&reader, " ");
    out->closed_s = text_reader_time(&reader);
    return text_reader_is_done(&reader);
}

bool seal_leaf_read_agency(struct text leaf, struct seal_agency *out)
{
    struct text_reader reader = {leaf, false};

    text_reader_literal(&reader, "agency ");
    out->agency = (uint32_t)text_reader_number(&reader, UINT32_MAX);
    text_reader_literal(&reader, " ");
    out->bets = text_reader_number(&reader, UINT64_MAX);
    text_reader_literal(&reader, " ");
    text_reader_hex(&reader, out->digest, sizeof(out->digest));
    text_reader_literal(&reader, " ");
    text_reader_hex(&reader, out->nonce, sizeof(out->nonce));
    return text_reader_is_done(&reader) && out->agency > 0;
}

enum status seal_nonce(const uint8_t salt[SEAL_SALT_SIZE], uint32_t agency,
                       uint8_t out[SEAL_NONCE_SIZE])
{
    char decimal[16];
    int size = snprintf(decimal, sizeof(decimal), "%" PRIu32, agency);

    return sha256_hmac((struct text){(const char *)salt, SEAL_SALT_SIZE},
                       (struct text){decimal, (size_t)size}, out);
}
