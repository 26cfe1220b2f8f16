// Boost.JSON, built here so that it is instrumented.
#include <boost/json/src.hpp>
