#include "ctl_ask.h"

#include "ctl_show.h"
#include "ctl_text.h"

#include <stdio.h>

#define ASK_MS 30000 /* how long a question may take */

int ctl_fail(const char *text)
{
    (void)fputs("lottery-ctl: ", stderr);
    ctl_text_print(stderr, text);
    (void)fputc('\n', stderr);
    return CTL_EXIT_FAIL;
}

int ctl_finish(enum status shown)
{
    if (shown != STATUS_OK)
        return ctl_fail(status_text(shown));
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CTL_EXIT_OK;
    return ctl_fail("stdout cannot be written");
}

/* What the result says, if that is no success. */
static enum status ctl_ask_judge(const struct ctl_answer *answer, struct errbuf *err)
{
    const Lottery__Control__V1__Result *result = answer->result;

    switch ((int)result->code) {
    case LOTTERY__CONTROL__V1__RESULT_CODE__RESULT_CODE_DONE:
    case LOTTERY__CONTROL__V1__RESULT_CODE__RESULT_CODE_MOVING:
        return STATUS_OK;
    case LOTTERY__CONTROL__V1__RESULT_CODE__RESULT_CODE_REFUSED:
        errbuf_set(err, "refused: %s", result->reason);
        break;
    case LOTTERY__CONTROL__V1__RESULT_CODE__RESULT_CODE_FAILED:
        errbuf_set(err, "failed: %s", result->reason);
        break;
    default:
        errbuf_set(err, "the server's answer is not known to this release: %s", result->reason);
    }
    return STATUS_INVALID;
}

enum status ctl_ask(struct ctl_link *link, Lottery__Control__V1__Opcode command,
                    const ProtobufCMessage *message, uint64_t limit_ms, struct ctl_answer *out,
                    struct errbuf *err)
{
    enum status status = ctl_call(link, command, message, limit_ms, out, err);

    if (status != STATUS_OK)
        return status;
    status = ctl_ask_judge(out, err);
    if (status != STATUS_OK)
        ctl_answer_fini(out);
    return status;
}

enum status ctl_ask_for_status(struct ctl_link *link, struct ctl_answer *out, struct errbuf *err)
{
    Lottery__Control__V1__GetStatus message;

    lottery__control__v1__get_status__init(&message);
    enum status status = ctl_ask(link, LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS,
                                 &message.base, ASK_MS, out, err);
    if (status != STATUS_OK || out->status != NULL)
        return status;
    errbuf_set(err, "%s: %s", link->path, status_text(STATUS_MALFORMED));
    ctl_answer_fini(out);
    ctl_link_close(link);
    return STATUS_MALFORMED;
}

int ctl_ask_status(const struct ctl_options *options)
{
    struct ctl_link link;
    struct ctl_answer answer;
    struct errbuf err = {{0}};

    ctl_link_init(&link, options->path);
    enum status status = ctl_ask_for_status(&link, &answer, &err);
    ctl_link_close(&link);
    if (status != STATUS_OK)
        return ctl_fail(err.text);
    status = ctl_show_status(stdout, answer.status, options->is_json);
    ctl_answer_fini(&answer);
    return ctl_finish(status);
}

/* All rows are read before the first is shown: whoever reads what we write may be slow, and the
 * server waits for nobody. */
static int ctl_ask_list(const struct ctl_options *options, Lottery__Control__V1__Opcode command,
                        const ProtobufCMessage *message,
                        enum status (*show)(FILE *out, const struct ctl_answer *answer,
                                            bool is_json))
{
    struct ctl_link link;
    struct ctl_answer answer;
    struct errbuf err = {{0}};

    ctl_link_init(&link, options->path);
    enum status status = ctl_ask(&link, command, message, ASK_MS, &answer, &err);
    ctl_link_close(&link);
    if (status != STATUS_OK)
        return ctl_fail(err.text);
    status = show(stdout, &answer, options->is_json);
    ctl_answer_fini(&answer);
    return ctl_finish(status);
}

int ctl_ask_agencies(const struct ctl_options *options)
{
    Lottery__Control__V1__ListAgencies message;

    lottery__control__v1__list_agencies__init(&message);
    return ctl_ask_list(options, LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_AGENCIES, &message.base,
                        ctl_show_agencies);
}

int ctl_ask_winners(const struct ctl_options *options)
{
    Lottery__Control__V1__ListWinners message;

    lottery__control__v1__list_winners__init(&message);
    return ctl_ask_list(options, LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_WINNERS, &message.base,
                        ctl_show_winners);
}
