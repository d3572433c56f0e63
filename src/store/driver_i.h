/* Inside the store room: stores of a driver are counted from open until their last batch has ended. */
#pragma once
#include "store/driver.h"

ON_CTL void driver_hold(const struct store_driver *d);
ON_CTL void driver_release(const struct store_driver *d);
