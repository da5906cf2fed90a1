"""This project and its peers at the same work, in turn, in one run; every result is checked before its time counts.

contents, images, rootfs, upstream   the work, made once by rule: the same bytes in every run
servers, shaped                      where it comes from: stock servers, whose access logs count, and a slow line
contest, measure, checks             running in turn, measuring, judging what came out
peers, ours                          who takes part
save, packaging, matrix, reproduce   the works W1 to W7 and W9, which `works` runs
goals, profiles, table, report       what was to be reached, where the time goes, writing it down
"""
