#include "routes.h"

#include "api.h"
#include "metrics.h"
#include "page.h"
#include "readiness.h"

#include <string.h>

#define TYPE_TEXT "text/plain; charset=utf-8"

struct route {
    const char *path;
    const char *type;
    void (*answer)(const struct observer_view *view, struct answer *out);
};

static void answer_set(struct answer *out, unsigned code, const char *text)
{
    out->code = code;
    out->type = TYPE_TEXT;
    out->fixed = text_of(text);
}

/* There was no memory for the answer: it is dropped, and said so. */
static void answer_check(struct answer *out, enum status status)
{
    if (status == STATUS_OK)
        return;
    buffer_fini(&out->body);
    answer_set(out, 503, "out of memory\n");
}

static void answer_health(const struct observer_view *view, struct answer *out)
{
    (void)view;
    out->fixed = text_of("ok\n");
}

/* Appends "not ready: REASON\n" for each line of `reasons`. */
static enum status answer_add_reasons(const char *reasons, struct buffer *out)
{
    static const char prefix[] = "not ready: ";
    enum status status = STATUS_OK;

    for (const char *at = reasons; status == STATUS_OK && *at != '\0';) {
        size_t size = strcspn(at, "\n");
        status = buffer_append(out, prefix, sizeof(prefix) - 1);
        if (status == STATUS_OK)
            status = buffer_append(out, at, size);
        if (status == STATUS_OK)
            status = buffer_append(out, "\n", 1);
        at += size;
        at += *at == '\n';
    }
    return status;
}

static void answer_readiness(const struct observer_view *view, struct answer *out)
{
    struct errbuf reasons = {{0}};

    if (readiness(view, &reasons)) {
        out->fixed = text_of("ready\n");
        return;
    }
    out->code = 503;
    answer_check(out, answer_add_reasons(reasons.text, &out->body));
}

static void answer_metrics(const struct observer_view *view, struct answer *out)
{
    answer_check(out, metrics_write(view, &out->body));
}

static void answer_status(const struct observer_view *view, struct answer *out)
{
    answer_check(out, api_write_status(view, &out->body));
}

static void answer_agencies(const struct observer_view *view, struct answer *out)
{
    answer_check(out, api_write_agencies(view, &out->body));
}

static void answer_page(const struct observer_view *view, struct answer *out)
{
    (void)view;
    out->policy = page_policy();
    out->fixed = page_html();
}

static const struct route routes[] = {
    {"/", "text/html; charset=utf-8", answer_page},
    {"/healthz", TYPE_TEXT, answer_health},
    {"/readyz", TYPE_TEXT, answer_readiness},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", answer_metrics},
    {"/api/status", "application/json", answer_status},
    {"/api/agencies", "application/json", answer_agencies},
};

static const struct route *routes_find(const char *path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return NULL;
}

void routes_answer(const struct observer_view *view, const struct request *request,
                   struct answer *out)
{
    const struct route *route = routes_find(request->path);

    *out = (struct answer){.code = 200};
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        answer_set(out, 405, "only GET and HEAD are answered\n");
        out->allow = "GET, HEAD";
    } else if (!request->has_host) {
        answer_set(out, 400, "the header Host is missing\n");
    } else if (request->has_body) {
        answer_set(out, 413, "a request has no body here\n");
    } else if (route == NULL) {
        answer_set(out, 404, "there is nothing here\n");
    } else {
        out->type = route->type;
        route->answer(view, out);
    }
}
