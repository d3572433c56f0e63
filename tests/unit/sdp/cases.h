/* Offer/answer transcripts (tests/data/sdp/NNN-name.txt): the inputs of a file are run again and the whole file is
 * written anew; it must come out the same. SDP_BLESS=1 in the environment overwrites files instead: read the difference
 * then.
 *
 *   # comment
 *   @policy key=value ...   prefs first mode host port rtcp dtmf cn ptime dir user id mux all keep; stays until changed
 *   @offer                  the peer's offer follows    -> @answer and @plan, or @refused
 *   @make                   we offer                    -> @out, or @refused
 *   @accept                 the peer's answer follows   -> @plan, or @refused */
#pragma once

/* 0, or -1 after test_fail. *count = files run. */
int sdp_cases_run(const char *dir, int *count);
