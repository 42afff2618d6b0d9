-- utility: deferred checks of this transaction are made now, so that triggers may be altered after it
SET CONSTRAINTS ALL IMMEDIATE
