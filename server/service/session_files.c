#include "session_files.h"

#include "past_draws.h"
#include "service_internal.h"
#include "session.h"

void session_leave_draw(struct session *session)
{
    struct past_draw *past = session->past;

    if (past == NULL)
        return;
    session->past = NULL;
    session->draw_id = NULL;
    past_draws_give_back(&session->service->past, past);
}

const struct draw_files *session_files(const struct session *session)
{
    return session->past != NULL ? &session->past->files : &session->service->files;
}

const struct draw_drawn *session_drawn_to_tell(const struct session *session)
{
    const struct past_draw *past = session->past;

    if (past != NULL)
        return past->draw.terms.mode == DRAW_MANUAL || past->draw.is_sealed ? &past->draw.drawn
                                                                            : NULL;
    const struct ledger_news *news = ledger_news(session->service->config.ledger);
    return news->terms.mode == DRAW_MANUAL || news->is_sealed ? &news->drawn : NULL;
}
