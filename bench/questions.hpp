#ifndef CCLOUD_BENCH_QUESTIONS_HPP
#define CCLOUD_BENCH_QUESTIONS_HPP

#include "report.hpp"

namespace bench {

/** What does it cost to read a page of 100 IP groups? */
void decode(int rounds, report& notes);

/** How many calls a second, and how much CPU of the client a call, over TLS? */
void round_trips(int rounds, report& notes);

/** What does a call cost above its transport? */
void call_cost(int rounds, report& notes);

/** What does a new connection cost, with a full handshake and with a resumed one? */
void handshake(int rounds, report& notes);

} // namespace bench

#endif
