/* The operator's acts.
 *
 * Happy path: the command is sent, and its result comes when it is on record. `close` then asks for
 * the status until it has the seal. After `next` and `reload` the server moves: it ends the
 * connection; we connect again until another instance answers, see proto/control.proto.
 *
 * Failure modes: the server refuses: its reason is shown. It goes away before the result: nobody
 * knows what became of the command, and we say so. It goes away later: we connect again, for
 * BACK_MS; if it is not back by then, we say what is certain and what is not.
 */
#include "ctl_act.h"

#include "clock.h"
#include "ctl_show.h"
#include "ctl_text.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define BACK_MS 60000 /* how long a server may be away */
#define PAUSE_MS 100  /* between two questions */

/* Runs an act. Returns CTL_EXIT_OK, and *out_instance is who has answered; or has said why not. */
static int ctl_act(struct ctl_link *link, Lottery__Control__V1__Opcode command,
                   const ProtobufCMessage *message, uint64_t *out_instance)
{
    struct ctl_answer answer;
    struct errbuf err = {{0}};

    enum status status = ctl_link_open(link, &err);
    if (status != STATUS_OK)
        return ctl_fail(err.text);
    status = ctl_ask(link, command, message, CTL_NO_LIMIT, &answer, &err);
    if (status == STATUS_OK) {
        *out_instance = answer.result->instance;
        ctl_answer_fini(&answer);
        return CTL_EXIT_OK;
    }
    if (status != STATUS_INVALID) { /* without a result */
        errbuf_wrap(&err, "no answer came, so it is not known whether this was done; "
                          "`lottery-ctl status` says it once the server runs");
    }
    ctl_link_close(link);
    return ctl_fail(err.text);
}

/* Does the status say what we wait for? */
typedef bool (*ctl_is_there)(const Lottery__Control__V1__Status *status, const void *context);

/* Asks for the status until it says what we wait for: without limit while the server answers if
 * `is_patient`, otherwise for BACK_MS; and for BACK_MS while it is away. OK, and *out has to be
 * freed; else the last error, or IO when the server answers something else until the end. */
static enum status ctl_act_wait(struct ctl_link *link, ctl_is_there is_there, const void *context,
                                bool is_patient, struct ctl_answer *out, struct errbuf *err)
{
    uint64_t since_ms = clock_monotonic_ms();

    for (;;) {
        enum status status = ctl_ask_for_status(link, out, err);
        if (status == STATUS_OK && is_there(out->status, context))
            return STATUS_OK;
        if (status == STATUS_OK) {
            errbuf_set(err, "the server answers with draw %s",
                       ctl_show_draw_name(out->status->draw));
            ctl_answer_fini(out);
            if (is_patient)
                since_ms = clock_monotonic_ms();
        } else {
            ctl_link_close(link);
        }
        if (clock_monotonic_ms() - since_ms >= BACK_MS)
            return status != STATUS_OK ? status : STATUS_IO;
        (void)poll(NULL, 0, PAUSE_MS);
    }
}

static bool ctl_has_seal(const Lottery__Control__V1__Status *status, const void *context)
{
    (void)context;
    return status->phase != LOTTERY__CONTROL__V1__PHASE__PHASE_UNSPECIFIED &&
           (!status->has_seal || status->root.len > 0);
}

static bool ctl_is_any(const Lottery__Control__V1__Status *status, const void *context)
{
    (void)context;
    return status->phase != LOTTERY__CONTROL__V1__PHASE__PHASE_UNSPECIFIED;
}

/* Shows what an act has brought: lines of the status, or all of it as JSON. */
static int ctl_act_show(const struct ctl_options *options, struct ctl_answer *answer,
                        void (*show)(FILE *out, const Lottery__Control__V1__Status *status))
{
    enum status shown = STATUS_OK;

    if (options->is_json)
        shown = ctl_show_status(stdout, answer->status, true);
    else
        show(stdout, answer->status);
    ctl_answer_fini(answer);
    return ctl_finish(shown);
}

int ctl_act_close(const struct ctl_options *options)
{
    Lottery__Control__V1__Close message;
    struct ctl_link link;
    struct ctl_answer answer;
    uint64_t instance = 0;
    struct errbuf err = {{0}};

    ctl_link_init(&link, options->path);
    lottery__control__v1__close__init(&message);
    int exit_status =
        ctl_act(&link, LOTTERY__CONTROL__V1__OPCODE__OPCODE_CLOSE, &message.base, &instance);
    if (exit_status != CTL_EXIT_OK)
        return exit_status;
    enum status status = ctl_act_wait(&link, ctl_has_seal, NULL, true, &answer, &err);
    ctl_link_close(&link);
    if (status == STATUS_OK)
        return ctl_act_show(options, &answer, ctl_show_closed);
    errbuf_wrap(&err, "the draw is closed, but its seal is not known");
    return ctl_fail(err.text);
}

int ctl_act_draw(const struct ctl_options *options, unsigned number, const char *source)
{
    Lottery__Control__V1__Draw message;
    char copy[256];
    struct ctl_link link;
    struct ctl_answer answer;
    uint64_t instance = 0;
    struct errbuf err = {{0}};

    ctl_link_init(&link, options->path);
    lottery__control__v1__draw__init(&message);
    message.number = number;
    (void)snprintf(copy, sizeof(copy), "%s", source);
    message.source = copy;
    int exit_status =
        ctl_act(&link, LOTTERY__CONTROL__V1__OPCODE__OPCODE_DRAW, &message.base, &instance);
    if (exit_status != CTL_EXIT_OK)
        return exit_status;
    enum status status = ctl_act_wait(&link, ctl_is_any, NULL, false, &answer, &err);
    ctl_link_close(&link);
    if (status == STATUS_OK)
        return ctl_act_show(options, &answer, ctl_show_drawn);
    errbuf_wrap(&err, "the number %u is drawn, but the server does not answer any more", number);
    return ctl_fail(err.text);
}

/* What answers after a move. */
struct ctl_destination {
    uint64_t instance; /* not this one any more */
    const char *draw;  /* its draw; NULL: any */
};

static bool ctl_has_moved(const Lottery__Control__V1__Status *status, const void *context)
{
    const struct ctl_destination *destination = context;

    return ctl_is_any(status, NULL) && status->instance != destination->instance &&
           (destination->draw == NULL || strcmp(status->draw, destination->draw) == 0);
}

/* The server moves: waits until it is there. */
static int ctl_act_follow(const struct ctl_options *options, struct ctl_link *link,
                          const struct ctl_destination *destination, const char *what)
{
    struct ctl_answer answer;
    struct errbuf err = {{0}};

    enum status status = ctl_act_wait(link, ctl_has_moved, destination, false, &answer, &err);
    ctl_link_close(link);
    if (status != STATUS_OK) {
        errbuf_wrap(&err, "%s is decided, but was not seen within %d s", what, BACK_MS / 1000);
        return ctl_fail(err.text);
    }
    if (options->is_json) {
        status = ctl_show_status(stdout, answer.status, true);
    } else {
        (void)fputs("the server answers with draw ", stdout);
        ctl_text_print(stdout, ctl_show_draw_name(answer.status->draw));
        (void)fputc('\n', stdout);
    }
    ctl_answer_fini(&answer);
    return ctl_finish(status);
}

int ctl_act_next(const struct ctl_options *options, const char *draw, uint64_t close_at_s)
{
    Lottery__Control__V1__Next message;
    char copy[128];
    struct ctl_link link;
    uint64_t instance = 0;

    if (strlen(draw) >= sizeof(copy))
        return ctl_fail("refused: the id of the draw is too long");
    ctl_link_init(&link, options->path);
    lottery__control__v1__next__init(&message);
    (void)snprintf(copy, sizeof(copy), "%s", draw);
    message.draw = copy;
    message.close_at = close_at_s;
    int exit_status =
        ctl_act(&link, LOTTERY__CONTROL__V1__OPCODE__OPCODE_NEXT, &message.base, &instance);
    if (exit_status != CTL_EXIT_OK)
        return exit_status;
    return ctl_act_follow(options, &link, &(struct ctl_destination){instance, draw},
                          "the next draw");
}

int ctl_act_reload(const struct ctl_options *options)
{
    Lottery__Control__V1__Reload message;
    struct ctl_link link;
    uint64_t instance = 0;

    ctl_link_init(&link, options->path);
    lottery__control__v1__reload__init(&message);
    int exit_status =
        ctl_act(&link, LOTTERY__CONTROL__V1__OPCODE__OPCODE_RELOAD, &message.base, &instance);
    if (exit_status != CTL_EXIT_OK)
        return exit_status;
    return ctl_act_follow(options, &link, &(struct ctl_destination){instance, NULL}, "the reload");
}
