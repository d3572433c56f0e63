/* The texts of the one set of results. */
#include "base/status.h"
#include "base/check.h"

static const char *const status_texts[] = {
    [-ST_OK] = "ok",
    [-ST_NOMEM] = "out of memory",
    [-ST_INVAL] = "invalid argument",
    [-ST_PARSE] = "cannot be parsed",
    [-ST_NOTFOUND] = "not found",
    [-ST_EXISTS] = "exists already",
    [-ST_FULL] = "full",
    [-ST_AGAIN] = "would block",
    [-ST_TIMEOUT] = "timed out",
    [-ST_CANCELLED] = "cancelled",
    [-ST_HANGUP] = "hung up",
    [-ST_CLOSED] = "closed by the far side",
    [-ST_IO] = "input/output error",
    [-ST_DENIED] = "denied",
    [-ST_UNSUPPORTED] = "not supported",
    [-ST_UNLOADED] = "module unloaded",
    [-ST_BUSY] = "busy",
    [-ST_LIMIT] = "limit reached",
};

const char *status_text(int status)
{
	if (status > 0)
		return "ok";
	if (status < -(int)(ARRAY_COUNT(status_texts) - 1))
		return "unknown status";
	return status_texts[-status];
}
