/* cmocka_all.h - cmocka, and the headers that must be included before it. */
#ifndef LOTTERY_CMOCKA_ALL_H
#define LOTTERY_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#undef skip /* a macro of cmocka without arguments; it would also take our own words */

#endif
