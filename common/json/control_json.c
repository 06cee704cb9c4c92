#include "control_json.h"

#include "json_value.h"

typedef Lottery__Control__V1__Status status_message;

bool control_json_is_known(const status_message *status)
{
    return status->phase != LOTTERY__CONTROL__V1__PHASE__PHASE_UNSPECIFIED;
}

bool control_json_is_closed(const status_message *status)
{
    return status->phase >= LOTTERY__CONTROL__V1__PHASE__PHASE_CLOSED;
}

bool control_json_is_drawn(const status_message *status)
{
    return status->phase == LOTTERY__CONTROL__V1__PHASE__PHASE_DRAWN;
}

const char *control_json_phase(Lottery__Control__V1__Phase phase)
{
    switch ((int)phase) {
    case LOTTERY__CONTROL__V1__PHASE__PHASE_OPEN:
        return "open";
    case LOTTERY__CONTROL__V1__PHASE__PHASE_CLOSED:
        return "closed";
    case LOTTERY__CONTROL__V1__PHASE__PHASE_SEALED:
        return "sealed";
    case LOTTERY__CONTROL__V1__PHASE__PHASE_DRAWN:
        return "drawn";
    default:
        return "unknown";
    }
}

const char *control_json_mode(const status_message *status)
{
    return status->mode == LOTTERY__CONTROL__V1__MODE__MODE_MANUAL ? "manual" : "auto";
}

static const char *control_json_closed_by(const status_message *status)
{
    switch ((int)status->closed_by) {
    case LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_ALL_FINISHED:
        return "all finished";
    case LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_DEADLINE:
        return "deadline";
    case LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_OPERATOR:
        return "operator";
    default:
        return "unknown";
    }
}

static json_t *control_json_closed(const status_message *status)
{
    if (!control_json_is_closed(status))
        return json_null();
    const bool has_uid = status->closed_by == LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_OPERATOR;
    json_t *closed = json_object();
    json_value_add(&closed, "time", json_value_time(status->closed_at));
    json_value_add(&closed, "by", json_value_text(control_json_closed_by(status)));
    json_value_add(&closed, "uid", has_uid ? json_value_uint(status->closed_uid) : json_null());
    return closed;
}

static json_t *control_json_sealed(const status_message *status)
{
    if (status->root.len == 0)
        return json_null();
    const bool has_key = status->vkey[0] != '\0';
    json_t *sealed = json_object();
    json_value_add(&sealed, "time", json_value_time(status->sealed_at));
    json_value_add(&sealed, "root", json_value_base64(status->root.data, status->root.len));
    json_value_add(&sealed, "key", has_key ? json_value_text(status->vkey) : json_null());
    return sealed;
}

static json_t *control_json_drawn(const status_message *status)
{
    if (!control_json_is_drawn(status))
        return json_null();
    const bool has_uid = status->mode == LOTTERY__CONTROL__V1__MODE__MODE_MANUAL;
    json_t *drawn = json_object();
    json_value_add(&drawn, "time", json_value_time(status->drawn_at));
    json_value_add(&drawn, "number", json_value_uint(status->number));
    json_value_add(&drawn, "source", json_value_text(status->source));
    json_value_add(&drawn, "uid", has_uid ? json_value_uint(status->drawn_uid) : json_null());
    json_value_add(&drawn, "winners", json_value_uint(status->winners));
    json_value_add(&drawn, "winners_readable", json_boolean(status->has_winners));
    return drawn;
}

json_t *control_json_status(const status_message *status)
{
    json_t *object = json_object();

    json_value_add(&object, "phase", json_value_text(control_json_phase(status->phase)));
    if (!control_json_is_known(status))
        return object;
    const bool has_end = status->close_at != 0;
    json_value_add(&object, "draw", json_value_text(status->draw));
    json_value_add(&object, "mode", json_value_text(control_json_mode(status)));
    json_value_add(&object, "seal", json_boolean(status->has_seal));
    json_value_add(&object, "agencies", json_value_uint(status->agencies));
    json_value_add(&object, "finished", json_value_uint(status->finished));
    json_value_add(&object, "bets", status->has_bets ? json_value_uint(status->bets) : json_null());
    json_value_add(&object, "close_at", has_end ? json_value_time(status->close_at) : json_null());
    json_value_add(&object, "closed", control_json_closed(status));
    json_value_add(&object, "sealed", control_json_sealed(status));
    json_value_add(&object, "drawn", control_json_drawn(status));
    return object;
}

json_t *control_json_agency(uint32_t id, uint64_t bets, bool has_finished)
{
    json_t *object = json_object();

    json_value_add(&object, "agency", json_value_uint(id));
    json_value_add(&object, "bets", json_value_uint(bets));
    json_value_add(&object, "finished", json_boolean(has_finished));
    return object;
}

json_t *control_json_winner(uint32_t agency, const char *document)
{
    json_t *object = json_object();

    json_value_add(&object, "agency", json_value_uint(agency));
    json_value_add(&object, "document", json_value_text(document));
    return object;
}

json_t *control_json_backup(const char *path, const Lottery__Control__V1__Snapshot *snapshot,
                            uint64_t bytes)
{
    json_t *object = json_object();

    json_value_add(&object, "path", json_value_text(path));
    json_value_add(&object, "draw", json_value_text(snapshot->draw));
    json_value_add(&object, "phase", json_value_text(control_json_phase(snapshot->phase)));
    json_value_add(&object, "bets", json_value_uint(snapshot->bets));
    json_value_add(&object, "bytes", json_value_uint(bytes));
    return object;
}

json_t *control_json_error(const char *text)
{
    json_t *object = json_object();

    json_value_add(&object, "error", json_value_text(text));
    return object;
}
