/* A driver for the tests: tables in memory, answered on the control loop. It can be told to be silent, late, refuse,
 * fail, die or lie, as the databases of the field are. */
#pragma once
#include "store/driver.h"

enum mood {
	MOOD_WELL,
	MOOD_SILENT, /* batches are kept until memory_wake */
	MOOD_REFUSE, /* submit says ST_CLOSED: the connection is gone */
	MOOD_FAIL,   /* batches end with ST_IO */
	MOOD_LIE,    /* answers say more rows and columns than they hold */
};
struct memory {
	enum mood mood;
	unsigned moods_left; /* after so many submits all is well; 0: it lasts */
	unsigned open_count, submits, closes;
	char rest[64];
};
extern struct memory memory;
extern const struct store_driver memory_driver;
ON_CTL void memory_wake(void);  /* ends what is out */
ON_CTL void memory_clear(void); /* forgets the rows */
