/* Dial by name (the application directory): names as keys of a telephone (name.c, pure), and the talk with the caller
 * (run.c) after a profile of directory.conf. */
#pragma once
#include "base/role.h"
#include "base/str.h"

enum { T9_MAX = 64 };
/* The keys of a name: letters, those of Latin-1 as their plain ones, and digits; anything else is left out. At most
 * T9_MAX - 1 and a zero byte; how many. */
ANY size_t t9_of(struct sv name, char out[T9_MAX]);
/* "Mary Ann Smith": all but the last word, the last word. One word is both. */
ANY void t9_names(struct sv full, struct sv *first, struct sv *last);
/* The keys are how that name begins. */
ANY bool t9_matches(struct sv full, bool by_last_name, const char *keys);

struct leg;
CO int app_directory(struct leg *leg, const char *data);
