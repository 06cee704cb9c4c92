#include "exposition.h"

#include "clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 256 /* bytes of a line of ours without a label's value or a help text */
#define SECONDS_SIZE 32

static void exposition_write(struct exposition *self, const char *bytes, size_t size)
{
    if (self->status == STATUS_OK)
        self->status = buffer_append(self->out, bytes, size);
}

__attribute__((format(printf, 2, 3))) static void exposition_print(struct exposition *self,
                                                                   const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (size > 0)
        exposition_write(self, line, (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1);
}

/* Between quotes, a backslash, a quote and a line feed are written with a backslash. */
static void exposition_write_label_value(struct exposition *self, const char *value)
{
    while (*value != '\0') {
        size_t plain = strcspn(value, "\\\"\n");
        exposition_write(self, value, plain);
        value += plain;
        if (*value == '\0')
            return;
        exposition_print(self, "\\%c", *value == '\n' ? 'n' : *value);
        value++;
    }
}

void exposition_family(struct exposition *self, enum exposition_type type, const char *name,
                       const char *help)
{
    static const char *const types[] = {[EXPOSITION_COUNTER] = "counter",
                                        [EXPOSITION_GAUGE] = "gauge",
                                        [EXPOSITION_HISTOGRAM] = "histogram"};

    self->name = name;
    exposition_print(self, "# HELP %s ", name);
    exposition_write(self, help, strlen(help));
    exposition_print(self, "\n# TYPE %s %s\n", name, types[type]);
}

void exposition_add(struct exposition *self, uint64_t value)
{
    exposition_print(self, "%s %" PRIu64 "\n", self->name, value);
}

void exposition_add_for(struct exposition *self, const char *label, const char *label_value,
                        uint64_t value)
{
    exposition_print(self, "%s{%s=\"", self->name, label);
    exposition_write_label_value(self, label_value);
    exposition_print(self, "\"} %" PRIu64 "\n", value);
}

void exposition_add_for_number(struct exposition *self, const char *label, uint32_t number,
                               uint64_t value)
{
    exposition_print(self, "%s{%s=\"%" PRIu32 "\"} %" PRIu64 "\n", self->name, label, number,
                     value);
}

/* All of the digits that are needed, and no locale's comma. */
static const char *exposition_seconds(uint64_t ns, char out[SECONDS_SIZE])
{
    const uint64_t per_s = (uint64_t)NS_PER_S;
    int size = snprintf(out, SECONDS_SIZE, "%" PRIu64 ".%09" PRIu64, ns / per_s, ns % per_s);

    while (size > 0 && out[size - 1] == '0')
        out[--size] = '\0';
    if (size > 0 && out[size - 1] == '.')
        out[--size] = '\0';
    return out;
}

void exposition_add_times(struct exposition *self, const uint64_t *bounds_ns, const uint64_t *up_to,
                          int bounds, uint64_t count, uint64_t total_ns)
{
    char seconds[SECONDS_SIZE];

    for (int i = 0; i < bounds; i++)
        exposition_print(self, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", self->name,
                         exposition_seconds(bounds_ns[i], seconds), up_to[i]);
    exposition_print(self, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", self->name, count);
    exposition_print(self, "%s_sum %s\n", self->name, exposition_seconds(total_ns, seconds));
    exposition_print(self, "%s_count %" PRIu64 "\n", self->name, count);
}
