#include "errbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void errbuf_set(struct errbuf *err, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
}

void errbuf_wrap(struct errbuf *err, const char *format, ...)
{
    char context[sizeof(err->text)];
    char inner[sizeof(err->text)];
    va_list args;

    if (err == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    memcpy(inner, err->text, sizeof(inner));
    inner[sizeof(inner) - 1] = '\0';
    /* The outer context is shorter and more useful, so the inner text is cut. */
    size_t used = strlen(context);
    memcpy(err->text, context, used);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
}
