#include "control_news.h"

void control_news_status(const struct ledger_news *news, uint64_t open_bets, const char *vkey,
                         struct control_status *out)
{
    *out = (struct control_status){
        .phase = news->phase,
        .terms = news->terms,
        .agencies = news->agencies,
        .finished = news->finished,
        .has_bets = news->phase != DRAW_NEW,
        .bets = news->phase >= DRAW_CLOSED ? news->bets : open_bets,
        .closed = news->closed,
        .is_sealed = news->is_sealed,
        .sealed = news->sealed,
        .vkey = vkey,
        .drawn = news->drawn,
        .has_winners = news->has_winners,
    };
    out->drawn.source.data = news->source; /* also if the news was copied */
}
