# vhdkit: manual pages from POD, for the folders that list PODS.
# SPDX-License-Identifier: BSD-3-Clause

if HAVE_POD2MAN
man1_MANS = $(PODS:.pod=.1)
CLEANFILES = $(man1_MANS)
endif

SUFFIXES = .pod .1
.pod.1:
	$(AM_V_GEN)$(POD2MAN) --section=1 --center="vhdkit" \
	    --release="$(PACKAGE_STRING)" --errors=die --utf8 $< $@.t && \
	    mv $@.t $@
