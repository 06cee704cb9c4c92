#include "message.h"

#include "assertion.h"

#include <string.h>

static bool message_is_append(const struct message_append *append, uint64_t region_size)
{
    return append->count > 0 && append->claimed.is_given <= 1 && append->size >= append->count &&
           append->size <= region_size && append->at <= region_size - append->size;
}

static bool message_is_piece(const struct message_piece *piece)
{
    return piece->size >= 1 && piece->size <= MESSAGE_PIECE_MAX;
}

bool message_is_request(const struct message *message, uint64_t region_size)
{
    switch (message->kind) {
    case MESSAGE_HELLO:
        return message->region_size <= MESSAGE_REGION_MAX;
    case MESSAGE_APPEND:
        return message_is_append(&message->append, region_size);
    case MESSAGE_OPEN_FILES:
        return message->files.kind < STORE_FILES && message->files.count <= MESSAGE_FDS &&
               message->files.count >= store_files_named((enum store_files)message->files.kind);
    case MESSAGE_FILES_LOST:
        return message->files.kind < STORE_FILES;
    case MESSAGE_SEAL:
        return message->seal.is_new <= 1;
    case MESSAGE_DRAW:
        return message->draw.is_new <= 1;
    case MESSAGE_RESULT:
        return message->is_new <= 1;
    case MESSAGE_PIECE:
        return message_is_piece(&message->piece);
    case MESSAGE_ASK:
        return message->ask.claimed.is_given <= 1;
    case MESSAGE_FINISH:
        return message->finish.claimed.is_given <= 1;
    case MESSAGE_CLOSE_DRAW:
        return message->close.is_again <= 1;
    case MESSAGE_ACT:
        return message->act.is_again <= 1 && message->act.is_minor <= 1;
    case MESSAGE_SNAPSHOT:
        return true;
    default:
        return false;
    }
}

bool message_is_answer(const struct message *message)
{
    if (message->kind == MESSAGE_OUTCOME)
        return message->outcome.status < STATUS_COUNT && message->outcome.has_finished <= 1;
    if (message->kind == MESSAGE_PIECE)
        return message_is_piece(&message->piece);
    return message->kind == MESSAGE_NEWS && message->news.phase <= DRAW_DRAWN &&
           message->news.has_winners <= 1 && message->news.has_seal <= 1 &&
           message->news.needs_result <= 1;
}

struct message_claim message_from_claim(const struct bets_checksum *claimed)
{
    return (struct message_claim){claimed->value, claimed->is_given};
}

struct bets_checksum message_to_claim(const struct message_claim *claimed)
{
    return (struct bets_checksum){claimed->value, claimed->is_given != 0};
}

void message_from_news(const struct ledger_news *news, struct message *message)
{
    *message = (struct message){
        .kind = MESSAGE_NEWS,
        .news = {.phase = (uint8_t)news->phase,
                 .has_winners = news->has_winners,
                 .has_seal = news->has_seal,
                 .needs_result = news->needs_result,
                 .agencies = news->agencies,
                 .finished = news->finished,
                 .winner_number = news->winner_number,
                 .drawn_number = news->drawn.winner_number,
                 .bets = news->bets,
                 .time_s = news->drawn.time_s,
                 .winners = news->drawn.winners,
                 .winners_size = news->drawn.winners_size,
                 .winners_crc = news->drawn.winners_crc},
    };
}

void message_to_news(const struct message *message, struct ledger_news *news)
{
    const struct message_news *from = &message->news;

    *news = (struct ledger_news){.phase = (enum draw_phase)from->phase,
                                 .agencies = from->agencies,
                                 .finished = from->finished,
                                 .winner_number = from->winner_number,
                                 .bets = from->bets,
                                 .has_winners = from->has_winners != 0,
                                 .has_seal = from->has_seal != 0,
                                 .needs_result = from->needs_result != 0,
                                 .drawn = {.time_s = from->time_s,
                                           .winner_number = from->drawn_number,
                                           .winners = from->winners,
                                           .winners_size = from->winners_size,
                                           .winners_crc = from->winners_crc}};
}

void message_from_drawn(const struct draw_drawn *drawn, bool is_new, struct message *message)
{
    *message = (struct message){.kind = MESSAGE_DRAW};
    message->draw = (struct message_draw){.time_s = drawn->time_s,
                                          .winners = drawn->winners,
                                          .winners_size = drawn->winners_size,
                                          .winners_crc = drawn->winners_crc,
                                          .winner_number = drawn->winner_number,
                                          .uid = drawn->uid,
                                          .is_new = is_new};
}

void message_to_drawn(const struct message *message, struct draw_drawn *drawn)
{
    const struct message_draw *from = &message->draw;

    *drawn = (struct draw_drawn){.time_s = from->time_s,
                                 .winner_number = from->winner_number,
                                 .winners = from->winners,
                                 .winners_size = from->winners_size,
                                 .winners_crc = from->winners_crc,
                                 .uid = from->uid};
}

bool message_has_more(const struct ledger_news *news)
{
    return news->terms.mode != DRAW_AUTO || news->terms.has_seal || news->terms.id[0] != '\0';
}

void message_from_news_more(const struct ledger_news *news, struct message_news_more *more)
{
    size_t size = news->drawn.source.size;

    ASSERT(size <= sizeof(more->source));
    memset(more, 0, sizeof(*more)); /* with all that lies between its members */
    more->terms = news->terms;
    more->closed = news->closed;
    more->sealed = news->sealed;
    more->is_sealed = news->is_sealed;
    more->uid = news->drawn.uid;
    more->source_size = (uint32_t)size;
    if (size > 0)
        memcpy(more->source, news->drawn.source.data, size);
}

bool message_to_news_more(const struct message_news_more *more, struct ledger_news *news)
{
    if (more->is_sealed > 1 || more->source_size > DRAW_TEXT_MAX ||
        memchr(more->terms.id, '\0', sizeof(more->terms.id)) == NULL)
        return false;
    news->terms = more->terms;
    news->closed = more->closed;
    news->sealed = more->sealed;
    news->is_sealed = more->is_sealed != 0;
    news->drawn.uid = more->uid;
    memcpy(news->source, more->source, sizeof(news->source));
    news->drawn.source = (struct text){news->source, more->source_size};
    return true;
}

size_t message_from_piece(const void *bytes, size_t size, struct message *message)
{
    size_t taken = size < MESSAGE_PIECE_MAX ? size : MESSAGE_PIECE_MAX;

    *message = (struct message){.kind = MESSAGE_PIECE};
    message->piece.size = (uint8_t)taken;
    memcpy(message->piece.bytes, bytes, taken);
    return taken;
}

bool message_pieces_add(struct message_pieces *pieces, const struct message_piece *piece)
{
    if (piece->size > sizeof(pieces->bytes) - pieces->size)
        return false;
    memcpy(pieces->bytes + pieces->size, piece->bytes, piece->size);
    pieces->size += piece->size;
    return true;
}
