/* The grammar of dial strings: text taken apart into targets, before anything is looked up. */
#pragma once
#include "core/dial/targets.h"

/* ST_PARSE for what is no dial string, ST_LIMIT for more than 128 legs in a part; d->error says where. Free with
 * dial_free in any case. */
int dial_parse(struct dial *d, const char *text);
/* The same, with variables that the first part begins with, as if they stood in braces in front; NULL: none. */
int dial_parse_under(struct dial *d, const char *text, const struct vars *first);
