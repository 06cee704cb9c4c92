#include "message.h"

static bool message_is_append(const struct message_append *append, uint64_t region_size)
{
    return append->count > 0 && append->claimed.is_given <= 1 && append->size >= append->count &&
           append->size <= region_size && append->at <= region_size - append->size;
}

bool message_is_request(const struct message *message, uint64_t region_size)
{
    switch (message->kind) {
    case MESSAGE_HELLO:
        return message->region_size <= MESSAGE_REGION_MAX;
    case MESSAGE_APPEND:
        return message_is_append(&message->append, region_size);
    case MESSAGE_OPEN_WINNERS:
        return message->count >= MESSAGE_WINNER_FDS_MIN && message->count <= MESSAGE_WINNER_FDS;
    case MESSAGE_DRAW:
        return message->draw.is_new <= 1;
    case MESSAGE_ASK:
        return message->ask.claimed.is_given <= 1;
    case MESSAGE_FINISH:
        return message->finish.claimed.is_given <= 1;
    case MESSAGE_CLOSE_DRAW:
    case MESSAGE_WINNERS_LOST:
        return true;
    default:
        return false;
    }
}

bool message_is_answer(const struct message *message)
{
    if (message->kind == MESSAGE_OUTCOME)
        return message->outcome.status < STATUS_COUNT;
    return message->kind == MESSAGE_NEWS && message->news.phase <= DRAW_DRAWN &&
           message->news.has_winners <= 1;
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
                                          .is_new = is_new};
}

void message_to_drawn(const struct message *message, struct draw_drawn *drawn)
{
    const struct message_draw *from = &message->draw;

    *drawn = (struct draw_drawn){.time_s = from->time_s,
                                 .winner_number = from->winner_number,
                                 .winners = from->winners,
                                 .winners_size = from->winners_size,
                                 .winners_crc = from->winners_crc};
}
