# The image: what the manifest names, packed. mkdmfs itself says, in a file for make, what it read.
#
# Before it has run for the first time, make must know which guests and services to build: those
# whose names stand in the manifest. So a manifest without Debian's guest never downloads it.

mkdmfs_manifest := $(file <$(MANIFEST))
mkdmfs_offered := $(if $(filter no,$(SERVICES)),,$(SERVICE_FILES)) \
	$(if $(filter no,$(GUESTS)),,$(GUEST_FILES))
mkdmfs_files := $(foreach file,$(mkdmfs_offered),$(if $(findstring $(file),$(mkdmfs_manifest)),$(file)))

MKDMFS := tools/mkdmfs $(wildcard tools/dmfs/*.py)

$(BUILD)/image.dmfs: $(MKDMFS) $(wildcard $(MANIFEST)) $(BUILD)/config/image $(mkdmfs_files)
	$(call brief,MKDMFS,$@)$(PYTHON) tools/mkdmfs $(MANIFEST) -o $@ --depfile $(BUILD)/image.d \
		$(if $(filter no,$(SERVICES)),--no-services) $(if $(filter no,$(GUESTS)),--no-guests)

# With other options than last time the file says what is needed no more, and the image is made anew anyway.
ifeq ($(file <$(BUILD)/config/image),$(MANIFEST) $(SERVICES) $(GUESTS))
-include $(BUILD)/image.d
endif
