/* A fake endpoint, dialplan and applications, so that calls run inside a unit test: "fake/WORD-WORD-..." is what the
 * far side does, one word per 2 ms: ring, early, answer, busy, reject, silent, hangup; codec words (pcma, g722) say
 * what it speaks. */
#pragma once
#include "core/dial/originate.h"
#include "core/host/core.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "harness.h"

struct fake_stats {
	int made, destroyed, hangups_told, answers, rings, early;
	enum cause last_cause;
};
extern struct fake_stats fake_stats;
int fake_start(void); /* core, media, module; limits off */
void fake_stop(void);
/* The extension table of the dialplan "test": exten -> "app:data|app:data". */
struct fake_route {
	const char *exten, *actions;
};
void fake_routes(const struct fake_route *routes); /* ends with a zero row */
/* An inbound call to exten; offered codecs by rtpmap words ("PCMU", "PCMU,PCMA", "G722"). */
struct leg *fake_inbound(const char *exten, const char *codecs);
/* Runs the loop until the condition holds or ms passed; true when it holds. */
bool fake_until(bool (*fn)(void *arg), void *arg, int ms);
bool fake_run_ms(int ms);
bool fake_no_legs(void *arg);
/* Every event as "LEG NAME state call-state app" lines; legs are A, B ... in order of appearance. */
void fake_trace_start(void);
const char *fake_trace(void);
void fake_trace_stop(void);
