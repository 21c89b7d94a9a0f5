// Declarations of the functions defined in pair_sums.hpp; documented in
// ../functions/pair_sums.stan.
real edge_sum(matrix z, array[] int sender, array[] int receiver, vector weight,
              real softening, int form);
real kernel_sum(matrix z, vector a, vector b, array[] int hidden_sender,
                array[] int hidden_receiver, real softening, int form);
real log1p_kernel_sum(matrix z, vector a, vector b, real softening, int form, int shared);
real charged_edge_sum(matrix z,
                      vector a,
                      vector b,
                      array[] int sender,
                      array[] int receiver,
                      vector back,
                      vector weight,
                      vector log_charge,
                      vector back_log_charge,
                      real softening,
                      int form,
                      int logarithm);
matrix precondition(matrix factor, matrix x);
