-- utility: writes everything down, so that the control file knows the new timeline.
CHECKPOINT;
