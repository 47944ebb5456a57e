# find_package(pktseq) gives the targets
#   pktseq::pktseq   the header; one C or C++ file of the program defines PKTSEQ_IMPLEMENTATION
#   pktseq::shared   the shared library, if it is there; no file defines it
# with OpenMP where CMake finds it.
set(pktseq_up "${CMAKE_CURRENT_LIST_DIR}")
foreach(pktseq_step RANGE 4)
    get_filename_component(pktseq_up "${pktseq_up}" DIRECTORY)
    if(EXISTS "${pktseq_up}/include/pktseq.h")
        set(pktseq_prefix "${pktseq_up}")
        break()
    endif()
endforeach()
if(NOT pktseq_prefix)
    set(pktseq_FOUND FALSE)
    set(pktseq_NOT_FOUND_MESSAGE "no include/pktseq.h above ${CMAKE_CURRENT_LIST_DIR}")
    return()
endif()

if(NOT TARGET pktseq::pktseq)
    find_package(OpenMP QUIET COMPONENTS C)
    add_library(pktseq::pktseq INTERFACE IMPORTED)
    set_target_properties(pktseq::pktseq PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${pktseq_prefix}/include"
        INTERFACE_LINK_LIBRARIES "$<$<BOOL:${UNIX}>:m>;$<TARGET_NAME_IF_EXISTS:OpenMP::OpenMP_C>")

    find_library(pktseq_library NAMES pktseq NO_DEFAULT_PATH
        HINTS "${CMAKE_CURRENT_LIST_DIR}/../.." "${pktseq_prefix}/lib" "${pktseq_prefix}/bin")
    mark_as_advanced(pktseq_library)
    if(pktseq_library)
        add_library(pktseq::shared UNKNOWN IMPORTED)
        set_target_properties(pktseq::shared PROPERTIES
            IMPORTED_LOCATION "${pktseq_library}"
            INTERFACE_COMPILE_DEFINITIONS PKTSEQ_SHARED
            INTERFACE_INCLUDE_DIRECTORIES "${pktseq_prefix}/include")
    endif()
endif()
unset(pktseq_prefix)
unset(pktseq_up)
