#include "api.h"
enum status api_write_status(const struct observer_view *view, struct buffer *out)
{
    (void)view;
    return buffer_append(out, "{}\n", 3);
}
enum status api_write_agencies(const struct observer_view *view, struct buffer *out)
{
    (void)view;
    return buffer_append(out, "[]\n", 3);
}
