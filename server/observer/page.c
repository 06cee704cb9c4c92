#include "page.h"
enum status page_init(void)
{
    return STATUS_OK;
}
struct text page_html(void)
{
    return text_of("<!DOCTYPE html><title>stub</title>\n");
}
const char *page_policy(void)
{
    return "default-src 'self'";
}
