/* The one set of results: 0 is success, negative is failure. A failed call leaves its arguments unchanged. */
#pragma once

enum status {
	ST_OK = 0,
	ST_NOMEM = -1, /* out of memory or over a fixed bound on memory */
	ST_INVAL = -2, /* the caller's argument is wrong */
	ST_PARSE = -3, /* bytes from outside do not parse */
	ST_NOTFOUND = -4,
	ST_EXISTS = -5,
	ST_FULL = -6,      /* a bounded queue or table is full */
	ST_AGAIN = -7,     /* would block; try on the next event */
	ST_TIMEOUT = -8,   /* the deadline of a wait passed */
	ST_CANCELLED = -9, /* the wait was given up by somebody else */
	ST_HANGUP = -10,   /* the leg is hung up */
	ST_CLOSED = -11,   /* the far side closed */
	ST_IO = -12,       /* the operating system refused; errno was logged */
	ST_DENIED = -13,
	ST_UNSUPPORTED = -14,
	ST_UNLOADED = -15, /* the module is going away */
	ST_BUSY = -16,
	ST_LIMIT = -17, /* a configured limit is reached */
};

/* Short English text of a status, never NULL. */
const char *status_text(int status);
