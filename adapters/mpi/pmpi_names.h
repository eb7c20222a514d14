/* SPDX-License-Identifier: Apache-2.0 */
/* The profiling names of all that the transport calls. */
#ifndef OI_PMPI_NAMES_H
#define OI_PMPI_NAMES_H

#define MPI_Comm_free PMPI_Comm_free
#define MPI_Comm_rank PMPI_Comm_rank
#define MPI_Comm_set_errhandler PMPI_Comm_set_errhandler
#define MPI_Comm_size PMPI_Comm_size
#define MPI_Error_string PMPI_Error_string
#define MPI_Get_processor_name PMPI_Get_processor_name
#define MPI_Iallreduce PMPI_Iallreduce
#define MPI_Irecv PMPI_Irecv
#define MPI_Isend PMPI_Isend
#define MPI_Op_create PMPI_Op_create
#define MPI_Op_free PMPI_Op_free
#define MPI_Testall PMPI_Testall

#endif
