/* Cutting a line into words as FreeSWITCH's commands and applications do. Quotes and backslashes are those of whoever
 * wrote the line: marked bytes (text/mark.h) part, quote and escape nothing. */
#pragma once
#include "base/role.h"

/* Cuts text in place into at most max words, which it borrows; returns how many. Runs of blanks part words when sep is
 * a blank; any other sep parts at each, an empty word between two counts and none stands behind the last. "^^X" in
 * front makes X the separator. 'quotes' keep a separator; a backslash keeps the next character from parting or quoting.
 * The last word of max takes all that is left. Quotes, blanks at a word's ends and the backslash before a quote, the
 * separator or a backslash come off; \n \r \t \s are what they stand for. */
ANY int words_split(char *text, char sep, char **words, int max);
