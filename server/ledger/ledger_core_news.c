#include "ledger_core_news.h"

void core_tell(const struct ledger_core *core, enum ledger_tells_kind kind)
{
    const struct draw *draw = core->config.draw;
    struct ledger_tells tells = {.kind = kind, .phase = draw->phase};

    if (draw->phase == DRAW_DRAWN)
        tells.winners = draw->drawn.winners;
    core->config.events->tell(core->config.owner, &tells);
}

struct ledger_news core_news(const struct ledger_core *core)
{
    const struct draw *draw = core->config.draw;
    struct ledger_news news = {.phase = draw->phase,
                               .agencies = draw->agencies,
                               .finished = draw->finished,
                               .winner_number = draw->winner_number};

    if (draw->phase >= DRAW_CLOSED)
        news.bets = draw->closed.bets;
    if (draw->phase == DRAW_DRAWN) {
        news.drawn = draw->drawn;
        news.has_winners = core->are_winners_right && core->knows_supervisor;
    }
    return news;
}

void core_send_news(struct ledger_core *core)
{
    const struct ledger_news news = core_news(core);
    bool has_changed = news.phase != core->told.phase || news.agencies != core->told.agencies ||
                       news.finished != core->told.finished ||
                       news.has_winners != core->told.has_winners;
    struct message message;

    if (!has_changed && !core->is_news_due)
        return;
    core->told = news;
    core->is_news_due = false;
    message_from_news(&news, &message);
    LIST_FOR_EACH (node, &core->peers) {
        struct ledger_peer *peer = LIST_ITEM(node, struct ledger_peer, in_list);
        if (has_changed || peer->needs_news)
            core->config.events->send(core->config.owner, peer->context, &message, NULL, 0);
        peer->needs_news = false;
    }
}

void ledger_core_acknowledged(struct ledger_core *core)
{
    if (core->has_failed || core->config.draw->phase != DRAW_DRAWN)
        return;
    core->knows_supervisor = true;
    core->is_news_due = true; /* at the next commit: the state may have records of a group now */
}
