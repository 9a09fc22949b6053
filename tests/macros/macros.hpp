// SPDX-License-Identifier: BSL-1.0
// macros.hpp: ordinary words that popular headers define as macros. Here each of them expands to what no program
// contains, so that the compiler stops at the first place that uses one.
#pragma once

// NOLINTBEGIN(bugprone-macro-parentheses,cppcoreguidelines-macro-usage)

// Qt: qobjectdefs.h, qglobal.h, qtmetamacros.h
#undef emit
#undef forever
#undef foreach
#undef signals
#undef slots
#define emit @
#define forever @
#define foreach(...) @
#define signals @
#define slots @

// <windows.h>: windef.h, wingdi.h, winnt.h, winuser.h, rpcndr.h, and its functions that come in two
#undef ABSOLUTE
#undef CreateProcess
#undef DELETE
#undef DIFFERENCE
#undef ERROR
#undef GetMessage
#undef GetObject
#undef IN
#undef NO_ERROR
#undef OPAQUE
#undef OPTIONAL
#undef OUT
#undef RELATIVE
#undef TRANSPARENT
#undef Yield
#undef far
#undef hyper
#undef interface
#undef max
#undef min
#undef near
#undef pascal
#undef small
#define ABSOLUTE @
#define CreateProcess @
#define DELETE @
#define DIFFERENCE @
#define ERROR @
#define GetMessage @
#define GetObject @
#define IN @
#define NO_ERROR @
#define OPAQUE @
#define OPTIONAL @
#define OUT @
#define RELATIVE @
#define TRANSPARENT @
#define Yield @
#define far @
#define hyper @
#define interface @
#define max(...) @
#define min(...) @
#define near @
#define pascal @
#define small @

// macOS: AssertMacros.h, objc.h, MacTypes.h
#undef NO
#undef Nil
#undef YES
#undef check
#undef check_noerr
#undef nil
#undef require
#undef require_noerr
#undef verify
#undef verify_noerr
#define NO @
#define Nil @
#define YES @
#define check(...) @
#define check_noerr(...) @
#define nil @
#define require(...) @
#define require_noerr(...) @
#define verify(...) @
#define verify_noerr(...) @

// X11: X.h, Xlib.h, Xutil.h
#undef Above
#undef Always
#undef Below
#undef Bool
#undef ButtonPress
#undef ButtonRelease
#undef Complex
#undef Convex
#undef CurrentTime
#undef CursorShape
#undef DestroyAll
#undef Expose
#undef False
#undef FocusIn
#undef FocusOut
#undef KeyPress
#undef KeyRelease
#undef None
#undef Status
#undef Success
#undef True
#undef Unsorted
#undef XValue
#undef YValue
#define Above @
#define Always @
#define Below @
#define Bool @
#define ButtonPress @
#define ButtonRelease @
#define Complex @
#define Convex @
#define CurrentTime @
#define CursorShape @
#define DestroyAll @
#define Expose @
#define False @
#define FocusIn @
#define FocusOut @
#define KeyPress @
#define KeyRelease @
#define None @
#define Status @
#define Success @
#define True @
#define Unsorted @
#define XValue @
#define YValue @

// The compiler with its extensions (-std=gnu++20)
#undef linux
#undef sun
#undef unix
#define linux @
#define sun @
#define unix @

// <complex.h>, <termios.h>, <math.h> and others of the C library
#undef B0
#undef DOMAIN
#undef ECHO
#undef I
#undef OVERFLOW
#undef PI
#undef UNDERFLOW
#define B0 @
#define DOMAIN @
#define ECHO @
#define I @
#define OVERFLOW @
#define PI @
#define UNDERFLOW @

// Logging and tests (glog, Catch2), Arduino
#undef ASSERT
#undef CHECK
#undef DEBUG
#undef INFO
#undef LOG
#undef REQUIRE
#undef TEST
#undef WARNING
#undef bit
#undef constrain
#undef highByte
#undef lowByte
#undef sq
#define ASSERT(...) @
#define CHECK(...) @
#define DEBUG @
#define INFO @
#define LOG(...) @
#define REQUIRE(...) @
#define TEST(...) @
#define WARNING @
#define bit(...) @
#define constrain(...) @
#define highByte(...) @
#define lowByte(...) @
#define sq(...) @

// NOLINTEND(bugprone-macro-parentheses,cppcoreguidelines-macro-usage)
