/* page.h - stub */
#ifndef LOTTERY_OBSERVER_PAGE_H
#define LOTTERY_OBSERVER_PAGE_H
#include "status.h"
#include "text.h"
enum status page_init(void);
struct text page_html(void);
const char *page_policy(void);
#endif
