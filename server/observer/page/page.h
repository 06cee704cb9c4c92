/* page.h - the live page, one HTML document in the binary: index.html in this folder. */
#ifndef LOTTERY_PAGE_H
#define LOTTERY_PAGE_H

#include "status.h"
#include "text.h"

/* Makes the page's policy, once per process: page_policy() needs it. May be called again. NOMEM;
 * MALFORMED: the page is not as page_policy.h wants it. */
enum status page_init(void);

/* The page, in UTF-8. Static. */
struct text page_html(void);

/* The value of the Content-Security-Policy that goes with the page. Static; empty, which allows
 * all, before page_init() has succeeded. */
const char *page_policy(void);

#endif
