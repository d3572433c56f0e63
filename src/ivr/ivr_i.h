/* Inside the room. */
#pragma once
#include "ivr/ivr.h"
#include "text/re.h"

enum ivr_action {
	IVR_EXIT,
	IVR_SUB,
	IVR_EXEC_APP,
	IVR_EXEC_API,
	IVR_PLAY_SOUND,
	IVR_SAY_PHRASE,
	IVR_BACK,
	IVR_TOP,
	IVR_ACTION_COUNT
};
struct ivr_entry {
	enum ivr_action action;
	char *digits;     /* literal, or the pattern as it was written */
	struct re *re;    /* NULL: literal */
	char *param;      /* never NULL */
	const char *file; /* where it stands, for messages; NULL: a script made it */
	unsigned line, column;
};
struct ivr_menu {
	char *name;
	/* sounds: what leg_play takes; NULL = none */
	char *greet_long, *greet_short, *invalid_sound, *exit_sound, *confirm_macro, *confirm_key, *tts_engine,
	    *tts_voice, *pin, *pin_file, *bad_pin_file, *exec_on_max_failures, *exec_on_max_timeouts;
	unsigned confirm_attempts, timeout_ms, inter_digit_ms, max_failures, max_timeouts, digit_len;
	struct ivr_entry *entries;
	unsigned entry_count, entry_room;
};
/* Whether the entry fits the keys; out gets its param with what they put into it, marked (text/mark.h). */
ANY bool ivr_entry_fits(const struct ivr_entry *e, const char *digits, struct buf *out);
struct ivr_menus {
	struct ivr_menu **menus;
	unsigned count, room;
	struct config *held; /* the snapshot whose files the entries name */
};
